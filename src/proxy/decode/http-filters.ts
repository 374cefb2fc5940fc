import type { Any } from "@bufbuild/protobuf/wkt";
import { RouterSchema } from "../../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import {
  type HttpFilter,
  HttpFilterSchema,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { HttpConfig } from "../http/http-config.ts";
import type { HttpFilterConfig } from "../http/http-filter.ts";
import { decodeAccessLogs } from "./access-log.ts";
import { BUFFER, BUFFER_OF_ROUTE } from "./buffer.ts";
import { COMPRESSOR, COMPRESSOR_OF_ROUTE } from "./compressor.ts";
import { CORS, CORS_OF_ROUTE } from "./cors.ts";
import { DECOMPRESSOR } from "./decompressor.ts";
import { DYNAMIC_FORWARD_PROXY, FORWARD_OF_ROUTE } from "./dynamic-forward-proxy.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { FAULT, FAULT_OF_ROUTE } from "./fault.ts";
import {
  GRPC_HTTP1_BRIDGE,
  GRPC_HTTP1_REVERSE_BRIDGE,
  GRPC_STATS,
  GRPC_WEB,
  REVERSE_BRIDGE_OF_ROUTE,
} from "./grpc-filters.ts";
import { HEADER_MUTATION, HEADER_MUTATION_OF_ROUTE } from "./header-mutation.ts";
import { HEALTH_CHECK } from "./health-check-filter.ts";
import { LOCAL_RATE_LIMIT, LOCAL_RATE_LIMIT_OF_ROUTE } from "./local-rate-limit.ts";
import { ON_DEMAND, ON_DEMAND_OF_ROUTE } from "./on-demand.ts";
import { RBAC, RBAC_OF_ROUTE } from "./rbac.ts";
import { SET_FILTER_STATE, SET_FILTER_STATE_OF_ROUTE } from "./set-filter-state.ts";
import { STATEFUL_SESSION, STATEFUL_SESSION_OF_ROUTE } from "./stateful-session.ts";
import { TAP } from "./tap.ts";

/** The filter that ends every chain. */
interface RouterConfig {
  readonly router: RouterOptions;
}

/** What the connection manager has from its router. */
type RouterOptions = Pick<
  HttpConfig,
  "suppressesEnvoyHeaders" | "attemptLogs" | "attemptLogMoments"
>;

/** What a decoder makes of a filter's message; the chain gives it its name and place. */
type FilterOpen = Pick<HttpFilterConfig, "open" | "needsTimes">;

const ROUTER: Extension<RouterConfig> = extension(RouterSchema, (message, path, issues) => {
  const fields = [
    "suppress_envoy_headers",
    "dynamic_stats",
    "upstream_log",
    "upstream_log_options",
  ];
  issues.push(...refuseFields(RouterSchema, message, fields, path));
  const { upstreamLogOptions: options } = message;
  return {
    router: {
      suppressesEnvoyHeaders: message.suppressEnvoyHeaders,
      attemptLogs: decodeAccessLogs(message.upstreamLog, path, issues, "upstream_log"),
      attemptLogMoments: {
        onConnected: options?.flushUpstreamLogOnUpstreamStream === true,
        everyMs: durationMs(options?.upstreamLogFlushInterval) ?? 0,
      },
    },
  };
});

/** Every HTTP filter that is built; an entry here is all that a new one needs. */
const HTTP_FILTERS: readonly Extension<RouterConfig | FilterOpen>[] = [
  ROUTER,
  FAULT,
  CORS,
  RBAC,
  LOCAL_RATE_LIMIT,
  DYNAMIC_FORWARD_PROXY,
  ON_DEMAND,
  HEADER_MUTATION,
  BUFFER,
  HEALTH_CHECK,
  STATEFUL_SESSION,
  SET_FILTER_STATE,
  COMPRESSOR,
  DECOMPRESSOR,
  TAP,
  GRPC_WEB,
  GRPC_STATS,
  GRPC_HTTP1_BRIDGE,
  GRPC_HTTP1_REVERSE_BRIDGE,
];

/** What routes may say to one of them. */
const SETTINGS_OF_ROUTES: readonly Extension<object>[] = [
  FAULT_OF_ROUTE,
  CORS_OF_ROUTE,
  RBAC_OF_ROUTE,
  LOCAL_RATE_LIMIT_OF_ROUTE,
  FORWARD_OF_ROUTE,
  ON_DEMAND_OF_ROUTE,
  HEADER_MUTATION_OF_ROUTE,
  BUFFER_OF_ROUTE,
  STATEFUL_SESSION_OF_ROUTE,
  SET_FILTER_STATE_OF_ROUTE,
  COMPRESSOR_OF_ROUTE,
  REVERSE_BRIDGE_OF_ROUTE,
];

/** Decodes what a route says to a filter; "unknown" when there is none of that type. */
export function decodeRouteSettings(
  { any, path }: { readonly name: string; readonly any: Any; readonly path: string },
  issues: Issue[],
): object | "unknown" | undefined {
  const found = SETTINGS_OF_ROUTES.find(({ typeUrl }) => typeUrl === any.typeUrl);
  return found === undefined ? "unknown" : found.decode(any, path, issues);
}

const NO_ROUTER: RouterOptions = {
  suppressesEnvoyHeaders: false,
  attemptLogs: [],
  attemptLogMoments: { onConnected: false, everyMs: 0 },
};

const FIELDS = ["name", "typed_config", "is_optional", "disabled"];

/** Decodes the HTTP filters of a connection manager: the last one is the router, and no other. */
export function decodeHttpFilters(
  filters: readonly HttpFilter[],
  path: string,
  issues: Issue[],
): Pick<HttpConfig, "filters"> & RouterOptions {
  const decoded: HttpFilterConfig[] = [];
  let router = NO_ROUTER;
  for (const [at, filter] of filters.entries()) {
    const filterPath = joinPath(path, `http_filters[${at}]`);
    issues.push(...refuseFields(HttpFilterSchema, filter, FIELDS, filterPath));
    if (filter.configType.case === "configDiscovery" || isPassedOver(filter)) continue;
    const { name, disabled: isDisabled } = filter;
    const any = filter.configType.value;
    const found = decodeExtension(HTTP_FILTERS, { name, any, path: filterPath }, issues);
    const isLast = at === filters.length - 1;
    if (found === undefined) continue;
    if ("open" in found) {
      decoded.push({ ...found, name, isDisabled });
      if (isLast) issues.push({ path: filterPath, message: misplaced("non-terminal", name) });
    } else {
      ({ router } = found);
      if (!isLast) issues.push({ path: filterPath, message: misplaced("terminal", name) });
    }
  }
  if (filters.length === 0) {
    const what = "is empty: the router is missing";
    issues.push({ path: joinPath(path, "http_filters"), message: what });
  }
  return { filters: decoded, ...router };
}

/** A filter that is not built may be left out where the configuration says so. */
function isPassedOver({ isOptional, configType }: HttpFilter): boolean {
  const typeUrl = configType.case === "typedConfig" ? configType.value.typeUrl : "";
  return isOptional && !HTTP_FILTERS.some((one) => one.typeUrl === typeUrl);
}

function misplaced(kind: "terminal" | "non-terminal", name: string): string {
  const rule = kind === "terminal" ? "must be the last filter" : "is the last filter";
  return `Error: ${kind} filter named ${name} ${rule} in a http filter chain.`;
}
