import {
  type FilterStateValue,
  FilterStateValueSchema,
  FilterStateValue_SharedWithUpstream as Sharing,
} from "../../api/gen/envoy/extensions/filters/common/set_filter_state/v3/value_pb.js";
import {
  type Config,
  ConfigSchema,
} from "../../api/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js";
import type { Issue } from "../../base/issue.ts";
import type { FilterStateObject } from "../../match/filter-state.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import {
  filterStateSettings,
  SetFilterStateFilter,
  type StateLevel,
  type StateRule,
} from "../http-filter/set-filter-state.ts";
import { decodeFormat } from "./access-log.ts";
import { extension } from "./extension.ts";

/** `envoy.filters.http.set_filter_state` in a connection manager. */
export const SET_FILTER_STATE = extension(ConfigSchema, (message, path, issues) => {
  const own = decodeLevel(message, path, issues);
  return {
    open:
      ({ name }: FilterScope) =>
      (stream: FilterStream) =>
        new SetFilterStateFilter(stream, name, own),
  };
});

/** The same message in a route is done after the filter's own. */
export const SET_FILTER_STATE_OF_ROUTE = extension(ConfigSchema, (message, path, issues) => {
  if (message.clearRouteCache) {
    const what = "has no effect in a route: set it in the filter";
    issues.push({ path: joinPath(path, "clear_route_cache"), message: what });
  }
  return filterStateSettings([decodeLevel(message, path, issues)]);
});

function decodeLevel(message: Config, path: string, issues: Issue[]): StateLevel {
  const fields = ["on_request_headers", "clear_route_cache"];
  issues.push(...refuseFields(ConfigSchema, message, fields, path));
  return {
    rules: message.onRequestHeaders.map((value, at) =>
      decodeRule(value, joinPath(path, `on_request_headers[${at}]`), issues),
    ),
    findsRouteAnew: message.clearRouteCache,
  };
}

type CreateObject = StateRule["create"];

const plainText: CreateObject = (text) => ({ text, typed: text });

/** What makes an object of a text, by Envoy's names of it; those with an effect elsewhere have it. */
const FACTORIES: ReadonlyMap<string, CreateObject> = new Map<string, CreateObject>([
  ["envoy.string", plainText],
  ["envoy.hashable_string", (text): FilterStateObject => ({ text, typed: text, hashed: text })],
]);

/** Those that Envoy has and whose effect nobody here has. */
const UNBUILT_FACTORIES: ReadonlySet<string> = new Set([
  "envoy.filters.listener.original_dst.local_ip",
  "envoy.filters.listener.original_dst.remote_ip",
  "envoy.network.application_protocols",
  "envoy.network.ip",
  "envoy.network.network_namespace",
  "envoy.network.transport_socket.original_dst_address",
  "envoy.network.upstream_server_name",
  "envoy.network.upstream_subject_alt_names",
  "envoy.ratelimit.hits_addend",
  "envoy.tcp_proxy.cluster",
  "envoy.tcp_proxy.disable_tunneling",
  "envoy.tcp_proxy.per_connection_idle_timeout_ms",
  "envoy.upstream.dynamic_host",
  "envoy.upstream.dynamic_port",
]);

const FIELDS = [
  "object_key",
  "factory_key",
  "format_string",
  "read_only",
  // Refused below.
  "shared_with_upstream",
  "skip_if_empty",
];

function decodeRule(message: FilterStateValue, path: string, issues: Issue[]): StateRule {
  issues.push(...refuseFields(FilterStateValueSchema, message, FIELDS, path));
  const key = message.key.case === "objectKey" ? message.key.value : "";
  const factory = message.factoryKey || key;
  const create = FACTORIES.get(factory);
  if (create === undefined && key !== "") {
    const what = UNBUILT_FACTORIES.has(factory)
      ? `objects of '${factory}' are not supported yet`
      : `'${key}' does not have an object factory`;
    const field = message.factoryKey === "" ? "object_key" : "factory_key";
    issues.push({ path: joinPath(path, field), message: what });
  }
  if (message.sharedWithUpstream !== Sharing.NONE) {
    const what = `${Sharing[message.sharedWithUpstream] ?? message.sharedWithUpstream} is not supported yet`;
    issues.push({ path: joinPath(path, "shared_with_upstream"), message: what });
  }
  const formatPath = joinPath(path, "format_string");
  const { value } = message;
  return {
    key,
    value: value.case === "formatString" ? decodeFormat(value.value, formatPath, issues) : () => "",
    create: create ?? plainText,
    isReadOnly: message.readOnly,
    skipsEmpty: message.skipIfEmpty,
  };
}
