import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type {
  ListenerFilterChainMatchPredicateSchema,
  ListenerFilterSchema,
} from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { HttpInspectorSchema } from "../api/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js";
import { OriginalDstSchema } from "../api/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js";
import { OriginalSrcSchema } from "../api/gen/envoy/extensions/filters/listener/original_src/v3/original_src_pb.js";
import { ProxyProtocolSchema } from "../api/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js";
import { TlsInspectorSchema } from "../api/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js";
import { packAny } from "../api/type-url.ts";
import type { Inspection, InspectorUse } from "../model/listener.ts";

type ListenerFilter = MessageInitShape<typeof ListenerFilterSchema>;
type Predicate = MessageInitShape<typeof ListenerFilterChainMatchPredicateSchema>;

/** The mark by which the rules of `TPROXY` know the proxy's own packets (Istio's). */
const TPROXY_MARK = 1337;

const PROXY_PROTOCOL = packAny(ProxyProtocolSchema, create(ProxyProtocolSchema));
const ORIGINAL_DST = packAny(OriginalDstSchema, create(OriginalDstSchema));
const ORIGINAL_SRC = packAny(OriginalSrcSchema, create(OriginalSrcSchema, { mark: TPROXY_MARK }));
const TLS_INSPECTOR = packAny(TlsInspectorSchema, create(TlsInspectorSchema));
const HTTP_INSPECTOR = packAny(HttpInspectorSchema, create(HttpInspectorSchema));

/**
 * What looks at connections first. A PROXY header stands before everything else in the bytes; TLS
 * is looked for before HTTP, because whoever finds it spares the other.
 */
export function listenerFilters({
  originalDestination,
  originalSource = false,
  proxyProtocol,
  tls,
  http,
}: Inspection): ListenerFilter[] {
  return [
    ...(proxyProtocol ? [filter("proxy_protocol", PROXY_PROTOCOL)] : []),
    ...(originalDestination ? [filter("original_dst", ORIGINAL_DST)] : []),
    ...(originalSource ? [filter("original_src", ORIGINAL_SRC)] : []),
    ...inspector("tls_inspector", TLS_INSPECTOR, tls),
    ...inspector("http_inspector", HTTP_INSPECTOR, http),
  ];
}

function filter(
  name: string,
  value: ReturnType<typeof packAny>,
  filterDisabled?: Predicate,
): ListenerFilter {
  return {
    name: `envoy.filters.listener.${name}`,
    configType: { case: "typedConfig", value },
    ...(filterDisabled !== undefined && { filterDisabled }),
  };
}

function inspector(
  name: string,
  value: ReturnType<typeof packAny>,
  use: InspectorUse,
): ListenerFilter[] {
  if (use === false) return [];
  if (use === true) return [filter(name, value)];
  if ("exceptPorts" in use) return [filter(name, value, ports(use.exceptPorts))];
  const isElsewhere: Predicate = { rule: { case: "notMatch", value: ports(use.onlyPorts) } };
  return [filter(name, value, isElsewhere)];
}

/** Whether a connection is meant for one of the ports. */
function ports(numbers: readonly number[]): Predicate {
  const rules = numbers.map(
    (start): Predicate => ({
      rule: { case: "destinationPortRange", value: { start, end: start + 1 } },
    }),
  );
  const [only] = rules;
  if (rules.length === 1 && only !== undefined) return only;
  return { rule: { case: "orMatch", value: { rules } } };
}
