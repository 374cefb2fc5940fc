import { RouterSchema } from "../../api/gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import {
  type HttpFilter,
  HttpFilterSchema,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { HttpConfig } from "../http/http-config.ts";
import type { HttpFilterConfig } from "../http/http-filter.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";

/** The filter that ends every chain. */
interface RouterConfig {
  readonly isRouter: true;
  readonly suppressesEnvoyHeaders: boolean;
}

/** What a decoder makes of a filter's message; the chain gives it its name. */
type FilterCreate = HttpFilterConfig["create"];

const ROUTER: Extension<RouterConfig> = extension(RouterSchema, (message, path, issues) => {
  const fields = ["suppress_envoy_headers", "dynamic_stats"];
  issues.push(...refuseFields(RouterSchema, message, fields, path));
  return { isRouter: true, suppressesEnvoyHeaders: message.suppressEnvoyHeaders };
});

/** Every HTTP filter that is built; an entry here is all that a new one needs. */
const HTTP_FILTERS: readonly Extension<RouterConfig | FilterCreate>[] = [ROUTER];

/** Decodes the HTTP filters of a connection manager: the last one is the router, and no other. */
export function decodeHttpFilters(
  filters: readonly HttpFilter[],
  path: string,
  issues: Issue[],
): Pick<HttpConfig, "filters" | "suppressesEnvoyHeaders"> {
  const decoded: HttpFilterConfig[] = [];
  let suppressesEnvoyHeaders = false;
  for (const [at, filter] of filters.entries()) {
    const filterPath = joinPath(path, `http_filters[${at}]`);
    const fields = ["name", "typed_config", "is_optional"];
    issues.push(...refuseFields(HttpFilterSchema, filter, fields, filterPath));
    if (filter.configType.case === "configDiscovery") continue;
    const any = filter.configType.value;
    const found = decodeExtension(
      HTTP_FILTERS,
      { name: filter.name, any, path: filterPath },
      issues,
    );
    const isLast = at === filters.length - 1;
    if (found === undefined) continue;
    if (typeof found === "function") {
      decoded.push({ name: filter.name, create: found });
      if (isLast)
        issues.push({ path: filterPath, message: misplaced("non-terminal", filter.name) });
    } else {
      suppressesEnvoyHeaders = found.suppressesEnvoyHeaders;
      if (!isLast) issues.push({ path: filterPath, message: misplaced("terminal", filter.name) });
    }
  }
  if (filters.length === 0) {
    const what = "is empty: the router is missing";
    issues.push({ path: joinPath(path, "http_filters"), message: what });
  }
  return { filters: decoded, suppressesEnvoyHeaders };
}

function misplaced(kind: "terminal" | "non-terminal", name: string): string {
  const rule = kind === "terminal" ? "must be the last filter" : "is the last filter";
  return `Error: ${kind} filter named ${name} ${rule} in a http filter chain.`;
}
