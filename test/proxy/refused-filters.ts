import { httpListener, routeTable, staticCluster } from "./bootstrap-json.ts";
import type { RefusedBootstrap } from "./refused-bootstraps.ts";

const TYPES = "type.googleapis.com/envoy.extensions.filters.http.";
const TO_UP = { match: { prefix: "/" }, route: { cluster: "up" } };
const ROUTER = { name: "router", typed_config: { "@type": `${TYPES}router.v3.Router` } };
const ANY = [{ any: true }];

function bootstrap(options: object): object {
  const listener = httpListener("in", 0, { route_config: routeTable([TO_UP]), ...options });
  return { static_resources: { listeners: [listener], clusters: [staticCluster("up", [9])] } };
}

/** A connection manager with one more filter before the router, or after it. */
function httpFilter(type: string, config: object, isLast = false): object {
  const own = { name: "own", typed_config: { "@type": `${TYPES}${type}`, ...config } };
  return bootstrap({ http_filters: isLast ? [ROUTER, own] : [own, ROUTER] });
}

/** A route that tells the filter `own` something. */
function ofRoute(type: string, config: object): object {
  const settings = { own: { "@type": `${TYPES}${type}`, ...config } };
  const route = { ...TO_UP, typed_per_filter_config: settings };
  return bootstrap({ route_config: routeTable([route]) });
}

const FAULT = "fault.v3.HTTPFault";
const RBAC = "rbac.v3.RBAC";

const TABLE: readonly (readonly [string, object, string])[] = [
  [
    "a filter after the router",
    httpFilter("cors.v3.Cors", {}, true),
    "non-terminal filter named own is the last filter",
  ],
  [
    "an abort without a status",
    httpFilter(FAULT, { abort: { percentage: { numerator: 1 } } }),
    "abort: must have one of http_status, grpc_status, header_abort",
  ],
  [
    "an abort with a status that is none",
    httpFilter(FAULT, { abort: { http_status: 600 } }),
    "abort.http_status: ",
  ],
  [
    "a delay of no time",
    httpFilter(FAULT, { delay: { fixed_delay: "0s" } }),
    "delay.fixed_delay: ",
  ],
  [
    "a response that may not move",
    httpFilter(FAULT, { response_rate_limit: { fixed_limit: { limit_kbps: 0 } } }),
    "response_rate_limit.fixed_limit.limit_kbps: ",
  ],
  [
    "a fault of a route for a header without a name",
    ofRoute(FAULT, { headers: [{ name: "" }] }),
    "headers[0].name: ",
  ],
  [
    "a CORS policy with an expression that is none",
    ofRoute("cors.v3.CorsPolicy", {
      allow_origin_string_match: [{ safe_regex: { regex: "(" } }],
    }),
    "allow_origin_string_match[0]",
  ],
  [
    "a policy for nobody",
    httpFilter(RBAC, { rules: { policies: { one: { permissions: ANY } } } }),
    "principals",
  ],
  [
    "a policy of a route for a range of no ports",
    ofRoute("rbac.v3.RBACPerRoute", {
      rbac: {
        rules: {
          policies: {
            one: {
              permissions: [{ destination_port_range: { start: 9, end: 9 } }],
              principals: ANY,
            },
          },
        },
      },
    }),
    "destination_port_range",
  ],
  ["what a route tells the router", ofRoute("router.v3.Router", {}), '["own"]'],
];

/** HTTP filters, and what routes tell them, that nobody takes. */
export const REFUSED_FILTERS: readonly RefusedBootstrap[] = TABLE.map(
  ([name, refused, message]) => ({ name, bootstrap: refused, message }),
);
