import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import {
  type Filter,
  FilterSchema,
} from "../../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { ConnectionLimitSchema } from "../../api/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.js";
import { ConfigSchema as DirectResponseSchema } from "../../api/gen/envoy/extensions/filters/network/direct_response/v3/config_pb.js";
import { EchoSchema } from "../../api/gen/envoy/extensions/filters/network/echo/v3/echo_pb.js";
import { HttpConnectionManagerSchema } from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { LocalRateLimitSchema } from "../../api/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js";
import { RBACSchema } from "../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import { SniClusterSchema } from "../../api/gen/envoy/extensions/filters/network/sni_cluster/v3/sni_cluster_pb.js";
import { FilterConfigSchema as SniForwardSchema } from "../../api/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js";
import { TcpProxySchema } from "../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { CLOSE } from "../network-filter/close.ts";
import { ECHO } from "../network-filter/echo.ts";
import { httpConnectionManager } from "../network-filter/http-connection-manager.ts";
import type {
  NetworkFilterConfig,
  PassingFilterConfig,
  TerminalFilterConfig,
} from "../network-filter/network-filter.ts";
import { SNI_CLUSTER } from "../network-filter/sni-cluster.ts";
import { tcpProxy } from "../network-filter/tcp-proxy.ts";
import { decodeConnectionLimit } from "./connection-limit.ts";
import { decodeConnectionRateLimit } from "./connection-rate-limit.ts";
import { decodeDirectResponse } from "./direct-response.ts";
import { decodeSniForward } from "./dynamic-forward-proxy.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { decodeHttpConnectionManager } from "./http-connection-manager.ts";
import { decodeNetworkRbac } from "./network-rbac.ts";
import { decodeTcpProxy } from "./tcp-proxy.ts";

/** A filter with the name that Envoy has for its kind. */
interface NamedFilter {
  readonly kind: string;
  readonly config: NetworkFilterConfig;
}

/** Every network filter that is built. */
const NETWORK_FILTERS: readonly Extension<NamedFilter>[] = [
  filter("connection_limit", ConnectionLimitSchema, decodeConnectionLimit),
  filter("direct_response", DirectResponseSchema, decodeDirectResponse),
  filter("echo", EchoSchema, () => ECHO),
  filter("http_connection_manager", HttpConnectionManagerSchema, (message, path, issues) => {
    const config = decodeHttpConnectionManager(message, path, issues);
    return config && httpConnectionManager(config);
  }),
  filter("local_ratelimit", LocalRateLimitSchema, decodeConnectionRateLimit),
  filter("rbac", RBACSchema, decodeNetworkRbac),
  filter("sni_dynamic_forward_proxy", SniForwardSchema, decodeSniForward),
  filter("sni_cluster", SniClusterSchema, () => SNI_CLUSTER),
  filter("tcp_proxy", TcpProxySchema, (message, path, issues) => {
    const config = decodeTcpProxy(message, path, issues);
    return config && tcpProxy(config);
  }),
];

function filter<Desc extends DescMessage>(
  kind: string,
  schema: Desc,
  decode: (
    message: MessageShape<Desc>,
    path: string,
    issues: Issue[],
  ) => NetworkFilterConfig | undefined,
): Extension<NamedFilter> {
  return extension(schema, (message, path, issues) => {
    const config = decode(message, path, issues);
    return config && { kind: `envoy.filters.network.${kind}`, config };
  });
}

/** The network filters of a chain, in order. */
export interface NetworkFilters {
  readonly filters: readonly PassingFilterConfig[];
  readonly terminal: TerminalFilterConfig;
}

/** Decodes the filters of a chain; `undefined` after an issue. */
export function decodeNetworkFilters(
  messages: readonly Filter[],
  path: string,
  issues: Issue[],
): NetworkFilters | undefined {
  const before = issues.length;
  const filters: PassingFilterConfig[] = [];
  let terminal: TerminalFilterConfig | undefined;
  for (const [at, message] of messages.entries()) {
    const filterPath = joinPath(path, `filters[${at}]`);
    issues.push(...refuseFields(FilterSchema, message, ["name", "typed_config"], filterPath));
    if (message.configType.case === "configDiscovery") continue;
    const { name } = message;
    const named = { name, any: message.configType.value, path: filterPath };
    const decoded = decodeExtension(NETWORK_FILTERS, named, issues);
    if (decoded === undefined) continue;
    const { kind, config } = decoded;
    if (config.isTerminal !== (at === messages.length - 1)) {
      const what = config.isTerminal
        ? `Error: terminal filter named ${name} of type ${kind} must be the last filter in a network filter chain.`
        : `Error: non-terminal filter named ${name} of type ${kind} is the last filter in a network filter chain.`;
      issues.push({ path: filterPath, message: what });
    }
    if (config.isTerminal) terminal = config;
    else filters.push(config);
  }
  if (messages.length === 0) terminal = CLOSE;
  return terminal === undefined || issues.length > before ? undefined : { filters, terminal };
}
