/** One request to a route with this policy. */
export interface CorsCase {
  readonly name: string;
  /** The policy of the route; none when absent. */
  readonly policy?: object;
  /** That of its virtual host. */
  readonly hostPolicy?: object;
  /** The policies stand in the fields for them that came before the filter's own. */
  readonly isOlder?: boolean;
  /** Instead of to a cluster. */
  readonly action?: object;
  readonly method?: string;
  readonly lines: string;
  readonly status: number;
}

const ORIGIN = "Origin: http://a.example\r\n";
const PREFLIGHT = `${ORIGIN}Access-Control-Request-Method: PUT\r\n`;
const FROM_A = [{ exact: "http://a.example" }];
const FROM_B = [{ exact: "http://b.example" }];
const FULL = {
  allow_origin_string_match: FROM_A,
  allow_methods: "GET, PUT",
  allow_headers: "x-one, x-two",
  expose_headers: "x-three",
  max_age: "600",
  allow_credentials: true,
};
const ALL_STARS = {
  allow_origin_string_match: [{ safe_regex: { regex: ".*" } }],
  allow_methods: "*",
  allow_headers: "*",
};
const OFF = { default_value: { numerator: 0 } };
const ON = { default_value: { numerator: 100 } };

function preflight(name: string, policy: object, more: Partial<CorsCase> = {}): CorsCase {
  return { name, policy, method: "OPTIONS", lines: PREFLIGHT, status: 200, ...more };
}

function request(name: string, policy: object, more: Partial<CorsCase> = {}): CorsCase {
  return { name, policy, lines: ORIGIN, status: 200, ...more };
}

const PREFLIGHTS: readonly CorsCase[] = [
  preflight("a preflight", FULL),
  preflight("a preflight with every star", ALL_STARS, {
    lines: `${PREFLIGHT}Access-Control-Request-Headers: x-a, x-b\r\n`,
  }),
  preflight("a preflight with stars that names no headers", ALL_STARS),
  preflight("a preflight of nothing but an origin", { allow_origin_string_match: FROM_A }),
  preflight(
    "a preflight from elsewhere",
    { ...FULL, allow_origin_string_match: FROM_B },
    { status: 404 },
  ),
  preflight("a preflight from elsewhere that is not passed on", {
    ...FULL,
    allow_origin_string_match: FROM_B,
    forward_not_matching_preflights: false,
  }),
  preflight("a preflight where no origin is allowed", { allow_methods: "GET" }, { status: 404 }),
  preflight("OPTIONS that is no preflight", FULL, { lines: ORIGIN, status: 404 }),
  preflight("a preflight without an origin", FULL, {
    lines: "Access-Control-Request-Method: PUT\r\n",
    status: 404,
  }),
  preflight("a preflight with an empty origin", FULL, {
    lines: "Origin:\r\nAccess-Control-Request-Method: PUT\r\n",
    status: 404,
  }),
  preflight("a preflight with an empty method", FULL, {
    lines: `${ORIGIN}Access-Control-Request-Method:\r\n`,
    status: 404,
  }),
  preflight("a preflight of an origin that is two", FULL, {
    lines: "Origin: http://a.example,http://b.example\r\nAccess-Control-Request-Method: PUT\r\n",
    status: 404,
  }),
  preflight("a preflight of two methods", ALL_STARS, {
    lines: `${PREFLIGHT}Access-Control-Request-Method: GET\r\n`,
  }),
  preflight(
    "a preflight into a private network",
    { ...FULL, allow_private_network_access: true },
    { lines: `${PREFLIGHT}Access-Control-Request-Private-Network: true\r\n` },
  ),
  preflight("a preflight into a private network that is closed", FULL, {
    lines: `${PREFLIGHT}Access-Control-Request-Private-Network: true\r\n`,
  }),
  preflight(
    "a preflight that does not ask for the private network",
    { ...FULL, allow_private_network_access: true },
    { lines: `${PREFLIGHT}Access-Control-Request-Private-Network: false\r\n` },
  ),
  preflight("a preflight of a gRPC client", FULL, {
    lines: `${PREFLIGHT}Content-Type: application/grpc\r\n`,
  }),
  preflight("a preflight without credentials", { ...FULL, allow_credentials: false }),
  preflight("a preflight with a body", FULL, {
    lines: `${PREFLIGHT}Transfer-Encoding: chunked\r\n`,
  }),
];

const REQUESTS: readonly CorsCase[] = [
  request("a request of an origin", FULL),
  request("a request of an origin for which the upstream answers too", FULL, {
    lines: `${ORIGIN}Accept: */*\r\n`,
  }),
  request("a request of another origin", { ...FULL, allow_origin_string_match: FROM_B }),
  request("a request without an origin", FULL, { lines: "" }),
  request("a HEAD of an origin", FULL, { method: "HEAD" }),
  request("a request that ends in a local reply", FULL, {
    action: { route: { cluster: "nowhere" } },
    status: 503,
  }),
  request("a request of an origin by its prefix", {
    allow_origin_string_match: [{ prefix: "http://a." }],
  }),
  request("a request of an origin by its suffix", {
    allow_origin_string_match: [{ suffix: ".EXAMPLE", ignore_case: true }],
  }),
  request("a request of an origin by a star", { allow_origin_string_match: [{ exact: "*" }] }),
  request("a request of an origin by the second pattern", {
    allow_origin_string_match: [...FROM_B, ...FROM_A],
  }),
  request("a request to a direct response", FULL, {
    action: { direct_response: { status: 205 } },
    status: 205,
  }),
  request("a request to a redirect", FULL, {
    action: { redirect: { path_redirect: "/x" } },
    status: 301,
  }),
];

const SWITCHES: readonly CorsCase[] = [
  preflight("a preflight with the filter off", { ...FULL, filter_enabled: OFF }, { status: 404 }),
  preflight("a preflight with the filter on", { ...FULL, filter_enabled: ON }),
  preflight(
    "a preflight with the filter off and its shadow on",
    { ...FULL, filter_enabled: OFF, shadow_enabled: ON },
    { status: 404 },
  ),
  request("a request with both on", { ...FULL, filter_enabled: ON, shadow_enabled: ON }),
  request("a request with the shadow on alone", { ...FULL, shadow_enabled: ON }),
  request("a request of another origin, in the shadow", {
    ...FULL,
    allow_origin_string_match: FROM_B,
    filter_enabled: OFF,
    shadow_enabled: ON,
  }),
  request(
    "a request whose route switches off what its host has on",
    { filter_enabled: OFF },
    {
      hostPolicy: { ...FULL, filter_enabled: ON },
    },
  ),
];

const LEVELS: readonly CorsCase[] = [
  { name: "a preflight without a policy", method: "OPTIONS", lines: PREFLIGHT, status: 404 },
  {
    name: "a preflight by the policy of the host",
    hostPolicy: FULL,
    method: "OPTIONS",
    lines: PREFLIGHT,
    status: 200,
  },
  preflight(
    "a preflight of the route's methods and the host's rest",
    { allow_methods: "DELETE" },
    {
      hostPolicy: FULL,
    },
  ),
  preflight(
    "a preflight of the route's origin and no credentials",
    { allow_origin_string_match: FROM_A, allow_credentials: false },
    { hostPolicy: { ...FULL, allow_origin_string_match: FROM_B } },
  ),
  preflight(
    "a preflight that the host does not pass on",
    { allow_origin_string_match: FROM_B },
    { hostPolicy: { ...FULL, forward_not_matching_preflights: false } },
  ),
  preflight("a preflight by the older field", FULL, { isOlder: true }),
  request("a request by the older field", FULL, { isOlder: true }),
  preflight(
    "a preflight by the older fields of both",
    { allow_methods: "DELETE" },
    {
      isOlder: true,
      hostPolicy: FULL,
    },
  ),
  {
    name: "a preflight by the older field of the host",
    hostPolicy: FULL,
    isOlder: true,
    method: "OPTIONS",
    lines: PREFLIGHT,
    status: 200,
  },
];

export const CORS_CASES: readonly CorsCase[] = [...PREFLIGHTS, ...REQUESTS, ...SWITCHES, ...LEVELS];
