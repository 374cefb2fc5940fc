import {
  bucket,
  descriptor,
  key,
  ofHeader,
  type RateLimitCase,
  rule,
  TELL,
} from "./rate-limit-case.ts";

/** Two requests, of which the second is refused when they are counted under `entries`. */
function describes(
  name: string,
  actions: readonly object[],
  entries: string,
  { isMet = true, ...more }: Partial<RateLimitCase> & { isMet?: boolean; line?: string } = {},
): RateLimitCase {
  const line = more.line ?? "";
  return {
    name,
    limit: { ...bucket(100), ...TELL, descriptors: [descriptor(entries, 1)] },
    routeLimits: [rule(...actions)],
    sends: [line, line],
    statuses: [200, isMet ? 429 : 200],
    ...more,
  };
}

const rangeMatch = (value: string, prefix: string, more = {}): object => ({
  remote_address_match: {
    descriptor_value: value,
    address_matcher: { ranges: [{ address_prefix: prefix, prefix_len: 8 }], ...more },
  },
});
const metadata = (options: object, path = ["a"]): object => ({
  metadata: {
    descriptor_key: "m",
    metadata_key: { key: "test", path: path.map((one) => ({ key: one })) },
    ...options,
  },
});
const routeMetadata = {
  route: { metadata: { filter_metadata: { test: { a: "one", b: { c: "deep" }, n: 5, e: "" } } } },
};
const NOT = { isMet: false };
const header = (options: object): object => ({
  header_value_match: { descriptor_value: "v", headers: [{ name: "x-a" }], ...options },
});
const query = (options: object, matcher: object = {}): object => ({
  query_parameter_value_match: {
    descriptor_value: "v",
    query_parameters: [{ name: "q", ...matcher }],
    ...options,
  },
});
const parameter = (options: object = {}): object => ({
  query_parameters: { query_parameter_name: "q", descriptor_key: "k", ...options },
});

const ACTIONS: readonly RateLimitCase[] = [
  describes("source_cluster", [{ source_cluster: {} }], "source_cluster=test-node"),
  describes("destination_cluster", [{ destination_cluster: {} }], "destination_cluster=up"),
  describes(
    "destination_cluster of a header",
    [{ destination_cluster: {} }],
    "destination_cluster=up",
    {
      action: { cluster: undefined, cluster_header: "x-cluster" },
      line: "X-Cluster: up\r\n",
    },
  ),
  describes("request_headers", [ofHeader("X-A")], "h=one", { line: "X-A: one\r\n" }),
  describes("request_headers, the first of two", [ofHeader("x-a")], "h=one", {
    line: "X-A: one\r\nX-A: two\r\n",
  }),
  describes("request_headers, both of two", [ofHeader("user-agent")], "", {
    limit: { ...bucket(100), descriptors: [descriptor("h=one,two", 0)] },
    // What passes on goes to the upstream as one header from Envoy, and as two from here.
    sends: ["User-Agent: one\r\nUser-Agent: two\r\n"],
    statuses: [429],
  }),
  describes("request_headers of the path", [ofHeader(":path")], "h=/p?q=1", { path: "/p?q=1" }),
  describes("request_headers of the method", [ofHeader(":method")], "h=GET"),
  describes("request_headers of no value", [ofHeader("x-a"), key("x")], "generic_key=x", {
    ...NOT,
    line: "X-A: \r\n",
  }),
  describes("request_headers that is missing", [ofHeader("x-a"), key("x")], "generic_key=x", NOT),
  describes(
    "request_headers that is missing and left out",
    [ofHeader("x-a", { skip_if_absent: true }), key("x")],
    "generic_key=x",
  ),
  describes(
    "request_headers alone that is left out",
    [ofHeader("x-a", { skip_if_absent: true })],
    "h=x",
    NOT,
  ),
  describes("remote_address", [{ remote_address: {} }], "remote_address=127.0.0.1"),
  describes(
    "masked_remote_address",
    [{ masked_remote_address: {} }],
    "masked_remote_address=127.0.0.1/32",
  ),
  describes(
    "masked_remote_address of 9 bits",
    [{ masked_remote_address: { v4_prefix_mask_len: 9 } }],
    "masked_remote_address=127.0.0.0/9",
  ),
  describes("generic_key", [key("x")], "generic_key=x"),
  describes("generic_key of another key", [key("x", "k")], "k=x"),
  describes("generic_key of another value", [key("y")], "generic_key=x", NOT),
  describes("generic_key that looks like a format", [key("%REQ(x-a)%")], "generic_key=%REQ(x-a)%", {
    line: "X-A: one\r\n",
  }),
  describes("header_value_match", [header({})], "header_match=v", { line: "X-A: b\r\n" }),
  describes("header_value_match of another key", [header({ descriptor_key: "k" })], "k=v", {
    line: "X-A: b\r\n",
  }),
  describes("header_value_match that does not match", [header({})], "header_match=v", NOT),
  describes(
    "header_value_match that must not match",
    [header({ expect_match: false })],
    "header_match=v",
  ),
  describes(
    "header_value_match that must not match and does",
    [header({ expect_match: false })],
    "header_match=v",
    {
      ...NOT,
      line: "X-A: b\r\n",
    },
  ),
  describes("query_parameters", [parameter()], "k=a_b", { path: "/?q=a%20b&q=c" }),
  describes("query_parameters with a plus", [parameter()], "k=a+b", { path: "/?q=a+b" }),
  describes("query_parameters with an escaped name", [parameter()], "k=c", { path: "/?%71=c" }),
  describes("query_parameters with a broken escape", [parameter()], "k=%zz", { path: "/?q=%zz" }),
  describes("query_parameters that is missing", [parameter(), key("x")], "generic_key=x", NOT),
  describes(
    "query_parameters that is missing and left out",
    [parameter({ skip_if_absent: true }), key("x")],
    "generic_key=x",
  ),
  describes(
    "query_parameter_value_match",
    [query({}, { string_match: { exact: "a b" } })],
    "query_match=v",
    {
      path: "/?q=a%20b",
    },
  ),
  describes(
    "query_parameter_value_match that does not match",
    [query({}, { string_match: { exact: "a" } })],
    "query_match=v",
    {
      ...NOT,
      path: "/?q=b",
    },
  ),
  describes(
    "query_parameter_value_match that must not match",
    [query({ expect_match: false, descriptor_key: "k" })],
    "k=v",
  ),
  describes("remote_address_match", [rangeMatch("in", "127.0.0.0")], "remote_address_match=in"),
  describes(
    "remote_address_match elsewhere",
    [rangeMatch("in", "10.0.0.0")],
    "remote_address_match=in",
    NOT,
  ),
  describes(
    "remote_address_match inverted",
    [rangeMatch("in", "10.0.0.0", { invert_match: true })],
    "remote_address_match=in",
  ),
  describes(
    "remote_address_match of a format",
    [rangeMatch("is %REQ(x-a)%", "127.0.0.0")],
    "remote_address_match=is_b",
    {
      line: "X-A: b\r\n",
    },
  ),
  describes(
    "remote_address_match of a format without a value",
    [rangeMatch("%REQ(x-a)%", "127.0.0.0"), key("x")],
    "generic_key=x",
    NOT,
  ),
  describes("metadata of the route", [metadata({ source: "ROUTE_ENTRY" })], "m=one", routeMetadata),
  describes(
    "metadata of the route, deep inside",
    [metadata({ source: "ROUTE_ENTRY" }, ["b", "c"])],
    "m=deep",
    routeMetadata,
  ),
  describes(
    "metadata that is no text",
    [metadata({ source: "ROUTE_ENTRY" }, ["n"]), key("x")],
    "generic_key=x",
    { ...NOT, ...routeMetadata },
  ),
  describes(
    "metadata without letters",
    [metadata({ source: "ROUTE_ENTRY" }, ["e"]), key("x")],
    "generic_key=x",
    { ...NOT, ...routeMetadata },
  ),
  describes(
    "metadata that is missing, with a default",
    [metadata({ source: "ROUTE_ENTRY", default_value: "d" })],
    "m=d",
  ),
  describes(
    "metadata that is missing and left out",
    [metadata({ skip_if_absent: true }), key("x")],
    "generic_key=x",
  ),
  describes("metadata of the cluster", [metadata({ source: "CLUSTER_ENTRY" })], "m=cluster"),
  describes(
    "metadata of a locality",
    [metadata({ source: "CLUSTER_LOCALITY_ENTRY", default_value: "d" })],
    "m=d",
  ),
  describes("dynamic metadata", [metadata({})], "m=noted", {
    route: {
      typed_per_filter_config: {
        "envoy.filters.http.fault": {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
          delay: { fixed_delay: "0.001s", percentage: { numerator: 100 } },
          filter_metadata: { why: "noted" },
        },
      },
    },
    routeLimits: [
      rule({
        metadata: {
          descriptor_key: "m",
          metadata_key: { key: "envoy.filters.http.fault", path: [{ key: "why" }] },
        },
      }),
    ],
  }),
  describes("dynamic metadata that is missing", [metadata({}), key("x")], "generic_key=x", NOT),
  describes("two actions", [key("1", "a"), key("2", "b")], "a=1 b=2"),
  describes("two actions the other way round", [key("2", "b"), key("1", "a")], "a=1 b=2", NOT),
  describes("an action more than the descriptor has", [key("1", "a"), key("2", "b")], "a=1", NOT),
];

const RULES: readonly RateLimitCase[] = [
  describes("a rule of another stage", [], "generic_key=x", {
    ...NOT,
    routeLimits: [{ stage: 1, ...rule(key("x")) }],
  }),
  describes("a rule of the filter's stage", [], "generic_key=x", {
    limit: { ...bucket(100), stage: 3, descriptors: [descriptor("generic_key=x", 1)] },
    routeLimits: [rule(key("y")), { stage: 3, ...rule(key("x")) }],
  }),
  describes("a rule that the runtime may switch off", [], "generic_key=x", {
    ...NOT,
    routeLimits: [{ disable_key: "some.key", ...rule(key("x")) }],
  }),
  describes("a rule of a route for the end of the stream", [], "generic_key=x", {
    routeLimits: [{ apply_on_stream_done: true, ...rule(key("x")) }],
  }),
  describes("a rule of a route that counts five", [], "generic_key=x", {
    limit: { ...bucket(100), ...TELL, descriptors: [descriptor("generic_key=x", 7)] },
    routeLimits: [{ hits_addend: { number: 5 }, ...rule(key("x")) }],
    isMet: false,
  }),
  describes("a rule of a route that tells nothing", [], "generic_key=x", {
    routeLimits: [{ x_ratelimit_option: "OFF", ...rule(key("x")) }],
  }),
  describes("a rule of a route that tells", [], "generic_key=x", {
    limit: { ...bucket(100), descriptors: [descriptor("generic_key=x", 1)] },
    routeLimits: [{ x_ratelimit_option: "DRAFT_VERSION_03", ...rule(key("x")) }],
  }),
  describes("a rule of the virtual host", [], "generic_key=x", {
    routeLimits: [],
    hostLimits: [rule(key("x"))],
  }),
  describes("a rule of the virtual host beside one of the route", [], "generic_key=x", {
    ...NOT,
    routeLimits: [rule(key("y"))],
    hostLimits: [rule(key("x"))],
  }),
  describes("a rule of the virtual host that the route includes", [], "generic_key=x", {
    routeLimits: [rule(key("y"))],
    hostLimits: [rule(key("x"))],
    action: { include_vh_rate_limits: true },
  }),
  describes("a rule of the virtual host that the filter includes", [], "generic_key=x", {
    limit: {
      ...bucket(100),
      vh_rate_limits: "INCLUDE",
      descriptors: [descriptor("generic_key=x", 1)],
    },
    routeLimits: [rule(key("y"))],
    hostLimits: [rule(key("x"))],
  }),
  describes("a rule of the virtual host that the filter ignores", [], "generic_key=x", {
    ...NOT,
    limit: {
      ...bucket(100),
      vh_rate_limits: "IGNORE",
      descriptors: [descriptor("generic_key=x", 1)],
    },
    routeLimits: [],
    hostLimits: [rule(key("x"))],
  }),
  describes(
    "a rule of the virtual host that the filter ignores and the route includes",
    [],
    "generic_key=x",
    {
      limit: {
        ...bucket(100),
        vh_rate_limits: "IGNORE",
        descriptors: [descriptor("generic_key=x", 1)],
      },
      routeLimits: [],
      hostLimits: [rule(key("x"))],
      action: { include_vh_rate_limits: true },
    },
  ),
];

/** Every action, with a request that has what it looks for and one that has not. */
export const DESCRIPTOR_CASES: readonly RateLimitCase[] = [...ACTIONS, ...RULES];
