import {
  type ListenerFilterChainMatchPredicate,
  ListenerFilterChainMatchPredicateSchema,
  ListenerFilterSchema,
} from "../../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import type { Listener } from "../../api/gen/envoy/config/listener/v3/listener_pb.js";
import { HttpInspectorSchema } from "../../api/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { LocalRateLimitSchema } from "../../api/gen/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit_pb.js";
import { OriginalDstSchema } from "../../api/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import {
  type OriginalSrc,
  OriginalSrcSchema,
} from "../../api/gen/envoy/extensions/filters/listener/original_src/v3/original_src_pb.js";
import { ProxyProtocolSchema } from "../../api/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js";
import { TlsInspectorSchema } from "../../api/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { PlacedListenerFilter } from "../listener/listener-config.ts";
import { HTTP_INSPECTOR } from "../listener-filter/http-inspector.ts";
import type {
  ConnectionPredicate,
  ListenerFilterConfig,
} from "../listener-filter/listener-filter.ts";
import { createOriginalDst } from "../listener-filter/original-dst.ts";
import { createOriginalSrc } from "../listener-filter/original-src.ts";
import { TLS_INSPECTOR } from "../listener-filter/tls-inspector.ts";
import { whyNotTransparent } from "../net/transparent-socket.ts";
import { decodeSocketRateLimit } from "./connection-rate-limit.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { decodeProxyProtocol } from "./proxy-protocol.ts";

/** Every listener filter that is built. */
const LISTENER_FILTERS: readonly Extension<ListenerFilterConfig>[] = [
  extension(HttpInspectorSchema, () => HTTP_INSPECTOR),
  extension(LocalRateLimitSchema, decodeSocketRateLimit),
  extension(OriginalDstSchema, (_message, path, issues) => decodeOriginalDst(path, issues)),
  extension(OriginalSrcSchema, decodeOriginalSrc),
  extension(ProxyProtocolSchema, decodeProxyProtocol),
  extension(TlsInspectorSchema, (message, path, issues) => {
    // How much is read at a time shows nowhere.
    const fields = ["initial_read_buffer_size"];
    if (message.enableJa3Fingerprinting === false) fields.push("enable_ja3_fingerprinting");
    issues.push(...refuseFields(TlsInspectorSchema, message, fields, path));
    return TLS_INSPECTOR;
  }),
];

function decodeOriginalSrc(
  message: OriginalSrc,
  path: string,
  issues: Issue[],
): ListenerFilterConfig {
  // Envoy passes `bind_port` over.
  issues.push(...refuseFields(OriginalSrcSchema, message, ["mark"], path));
  const why = whyNotTransparent();
  if (why !== undefined) {
    issues.push({ path, message: `to connect from the clients' addresses ${why}` });
  }
  return createOriginalSrc(message.mark);
}

function decodeOriginalDst(path: string, issues: Issue[]): ListenerFilterConfig | undefined {
  const filter = createOriginalDst();
  if (filter === undefined) {
    const what =
      "the original destination can be asked for on Linux only, with koffi installed: npm install koffi";
    issues.push({ path, message: what });
  }
  return filter;
}

/**
 * Decodes the listener filters, in order. Like Envoy, it adds the original destination's when
 * connections go by it; what filter chains ask for beyond that must be named.
 */
export function decodeListenerFilters(
  { listenerFilters: messages, useOriginalDst }: Listener,
  issues: Issue[],
): readonly PlacedListenerFilter[] {
  const filters = messages.flatMap((message, at): PlacedListenerFilter[] => {
    const path = `listener_filters[${at}]`;
    const fields = ["name", "typed_config", "filter_disabled"];
    issues.push(...refuseFields(ListenerFilterSchema, message, fields, path));
    if (message.configType.case === "configDiscovery") return [];
    const named = { name: message.name, any: message.configType.value, path };
    const config = decodeExtension(LISTENER_FILTERS, named, issues);
    if (config === undefined) return [];
    const disabledPath = joinPath(path, "filter_disabled");
    const isDisabled =
      message.filterDisabled && decodePredicate(message.filterDisabled, disabledPath, issues);
    return [{ config, isDisabled }];
  });
  const typeUrl = `type.googleapis.com/${OriginalDstSchema.typeName}`;
  const hasOriginalDst = messages.some(
    ({ configType: { case: kind, value } }) => kind === "typedConfig" && value.typeUrl === typeUrl,
  );
  if (useOriginalDst === true && !hasOriginalDst) {
    const config = decodeOriginalDst("use_original_dst", issues);
    if (config !== undefined) filters.push({ config, isDisabled: undefined });
  }
  return filters;
}

function decodePredicate(
  message: ListenerFilterChainMatchPredicate,
  path: string,
  issues: Issue[],
): ConnectionPredicate {
  const { rule } = message;
  const fields = ["or_match", "and_match", "not_match", "any_match", "destination_port_range"];
  issues.push(...refuseFields(ListenerFilterChainMatchPredicateSchema, message, fields, path));
  if (rule.case === "notMatch") {
    const inner = decodePredicate(rule.value, joinPath(path, "not_match"), issues);
    return (connection) => !inner(connection);
  }
  if (rule.case === "destinationPortRange") {
    const { start, end } = rule.value;
    return ({ local }) => local.port >= start && local.port < end;
  }
  if (rule.case === "orMatch" || rule.case === "andMatch") {
    const setPath = joinPath(path, rule.case === "orMatch" ? "or_match" : "and_match");
    const rules = rule.value.rules.map((inner, at) =>
      decodePredicate(inner, joinPath(setPath, `rules[${at}]`), issues),
    );
    return rule.case === "orMatch"
      ? (connection) => rules.some((matches) => matches(connection))
      : (connection) => rules.every((matches) => matches(connection));
  }
  if (rule.case === undefined) issues.push({ path, message: "has no rule" });
  return () => true;
}
