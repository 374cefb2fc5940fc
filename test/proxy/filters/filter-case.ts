import { filter } from "../bootstrap-json.ts";
import type { OptionCase } from "../side-by-side.ts";

const TYPES = "type.googleapis.com/envoy.extensions.filters.http";

/** A message of an HTTP filter, by what follows `envoy.extensions.filters.http.`. */
export function typed(type: string, options: object): object {
  return { "@type": `${TYPES}.${type}`, ...options };
}

/** A connection manager's filters: these and the router. */
export function filters(...before: readonly object[]): object {
  return { http_filters: [...before, filter("http.router.v3.Router", {})] };
}

/** A filter that goes by the name `own`, under which routes speak to it. */
export function own(type: string, options: object = {}, more: object = {}): object {
  return { name: "own", typed_config: typed(type, options), ...more };
}

/** What a route, virtual host or table says to the filter `own`. */
export function toOwn(type: string, options: object): object {
  return { typed_per_filter_config: { own: typed(type, options) } };
}

/** A route for everything. */
export function route(more: object = {}): object {
  return { match: { prefix: "/" }, route: { cluster: "up" }, ...more };
}

/** Cases that share a configuration: each has a name, what is sent, and the status. */
export function casesOf(
  config: Omit<OptionCase, "name" | "send" | "status">,
  cases: readonly (Pick<OptionCase, "name" | "send" | "status"> & Partial<OptionCase>)[],
): readonly OptionCase[] {
  return cases.map((one) => ({ ...config, ...one }));
}
