import type { Prng } from "../base/prng.ts";
import { NO_OVERRIDES } from "./filter-overrides.ts";
import type { MatchRecorder, MatchRequest } from "./match-request.ts";
import { httpsLocation } from "./redirect-action.ts";
import { matchRoute, type Route } from "./route.ts";
import type { VirtualHost } from "./virtual-host.ts";

/** Where a virtual host that takes TLS only sends everybody else: no level adds anything to it. */
const TLS_ROUTE: Route = {
  name: "",
  matches: () => true,
  criteria: [],
  action: { kind: "redirect", status: 301, location: httpsLocation },
  mutations: { request: [], response: [] },
  filterOverrides: NO_OVERRIDES,
  cors: undefined,
  bufferBytesMax: undefined,
  decorator: { operation: "", isPropagated: true },
  tracing: undefined,
  statPrefix: "",
  metadata: {},
};

/** The route of a request within its virtual host (Envoy, `require_tls`). */
export function routeWithin(
  virtualHost: VirtualHost,
  request: MatchRequest,
  prng: Prng,
  recorder?: MatchRecorder,
): Route | undefined {
  if (virtualHost.requiresTls !== "none" && mustUseTls(virtualHost, request)) {
    recorder?.lost(`virtual host ${virtualHost.name}`, "plain text where TLS is required");
    return TLS_ROUTE;
  }
  return matchRoute(virtualHost.routes, request, prng, recorder);
}

function mustUseTls({ requiresTls }: VirtualHost, { headers }: MatchRequest): boolean {
  if (headers.some("x-forwarded-proto", isHttps) === true) return false;
  return requiresTls === "all" || headers.some("x-envoy-internal", isTrue) !== true;
}

const isHttps = (value: string): boolean => value === "https";
const isTrue = (value: string): boolean => value === "true";
