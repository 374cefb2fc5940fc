import {
  ALL,
  bucket,
  descriptor,
  key,
  none,
  ofHeader,
  type RateLimitCase,
  rule,
  TELL,
} from "./rate-limit-case.ts";
import { DESCRIPTOR_CASES } from "./rate-limit-descriptor-cases.ts";

const BUCKETS: readonly RateLimitCase[] = [
  { name: "a bucket of two", limit: bucket(2), sends: none(4), statuses: [200, 200, 429, 429] },
  {
    name: "a bucket of none",
    limit: { ...bucket(0), ...TELL },
    sends: none(2),
    statuses: [429, 429],
  },
  {
    name: "a bucket of none that fills fast",
    limit: bucket(0, "0.001s"),
    sends: none(1),
    statuses: [429],
  },
  {
    name: "a bucket that fills in no time",
    limit: { ...bucket(1, "0.0001s"), ...TELL },
    sends: none(2),
    statuses: [200, 200],
  },
  {
    name: "a bucket that is told of",
    limit: { ...bucket(2, "1000s"), ...TELL },
    sends: none(3),
    statuses: [200, 200, 429],
  },
  {
    name: "a bucket that fills in parts of a second",
    limit: { ...bucket(100, "0.5s", 7), ...TELL },
    sends: none(1),
    statuses: [200],
  },
  {
    name: "no request enabled",
    limit: { ...bucket(1), filter_enabled: undefined, ...TELL },
    sends: none(2),
    statuses: [200, 200],
  },
  {
    name: "0 % enabled",
    limit: { ...bucket(1), filter_enabled: { default_value: {} } },
    sends: none(2),
    statuses: [200, 200],
  },
  {
    name: "enabled by the runtime",
    limit: { ...bucket(1), filter_enabled: { default_value: {}, runtime_key: "test.all" } },
    sends: none(2),
    statuses: [200, 429],
  },
  {
    name: "disabled by the runtime",
    limit: { ...bucket(1), filter_enabled: { ...ALL, runtime_key: "test.none" } },
    sends: none(2),
    statuses: [200, 200],
  },
  {
    name: "no request enforced",
    limit: {
      ...bucket(1),
      ...TELL,
      filter_enforced: undefined,
      enable_retry_after_header: true,
      request_headers_to_add_when_not_enforced: [
        { header: { key: "x-over", value: "%REQ(:path)%" } },
        { header: { key: "x-a", value: "more" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      ],
      response_headers_to_add: [{ header: { key: "x-limited", value: "yes" } }],
    },
    sends: ["X-A: b\r\n", "X-A: b\r\n"],
    statuses: [200, 200],
  },
  {
    name: "not enforced by the runtime",
    limit: { ...bucket(1), filter_enforced: { ...ALL, runtime_key: "test.none" } },
    sends: none(2),
    statuses: [200, 200],
  },
];

const ANSWERS: readonly RateLimitCase[] = [
  ["400", 400],
  ["404", 404],
  ["503", 503],
  ["200, which is no error", 429, 200],
  ["302, which is no error", 429, 302],
].map(([name, status, code = status]) => ({
  name: `a status of ${name}`,
  limit: { ...bucket(1), status: { code }, enable_retry_after_header: true },
  sends: none(2),
  statuses: [200, Number(status)],
}));

const GRPC = "Content-Type: application/grpc\r\n";

const HEADERS: readonly RateLimitCase[] = [
  {
    name: "headers of the answer",
    limit: {
      ...bucket(1),
      response_headers_to_add: [
        { header: { key: "x-limited", value: "%REQ(x-a)%" } },
        { header: { key: "x-limited", value: "twice" } },
        { header: { key: "content-type", value: "text/html" } },
      ],
    },
    sends: ["X-A: b\r\n", "X-A: b\r\n"],
    statuses: [200, 429],
  },
  {
    name: "headers of the answer that look at one another",
    limit: {
      ...bucket(1),
      response_headers_to_add: [
        { header: { key: "x-a", value: "1" } },
        { header: { key: "x-a", value: "2" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
        { header: { key: "x-b", value: "1" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
        { header: { key: "x-b", value: "2" }, append_action: "ADD_IF_ABSENT" },
        { header: { key: "x-b", value: "3" }, append_action: "OVERWRITE_IF_EXISTS" },
      ],
    },
    sends: none(2),
    statuses: [200, 429],
  },
  {
    name: "headers of the request that look at one another",
    limit: {
      ...bucket(1),
      filter_enforced: undefined,
      request_headers_to_add_when_not_enforced: [
        { header: { key: "x-a", value: "new" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
        { header: { key: "x-b", value: "%REQ(x-a)%" } },
        { header: { key: "x-a", value: "more" }, append_action: "ADD_IF_ABSENT" },
      ],
    },
    sends: ["X-A: old\r\n", "X-A: old\r\n", ""],
    statuses: [200, 200, 200],
  },
  {
    name: "a time to retry after",
    limit: { ...bucket(1), enable_retry_after_header: true },
    sends: none(2),
    statuses: [200, 429],
  },
  {
    name: "a time to retry after of less than a second",
    limit: { ...bucket(1, "0.6s"), enable_retry_after_header: true, ...TELL },
    sends: none(2),
    statuses: [200, 429],
  },
  {
    name: "a time to retry after that the configuration says",
    limit: {
      ...bucket(1),
      enable_retry_after_header: true,
      response_headers_to_add: [{ header: { key: "retry-after", value: "7" } }],
    },
    sends: none(2),
    statuses: [200, 429],
  },
  {
    name: "no time to retry after from a bucket of none",
    limit: { ...bucket(0), enable_retry_after_header: true, ...TELL },
    sends: none(1),
    statuses: [429],
  },
  { name: "a gRPC call", limit: bucket(1), sends: [GRPC, GRPC], statuses: [200, 200] },
  {
    name: "a gRPC call that exhausts a resource",
    limit: { ...bucket(1), rate_limited_as_resource_exhausted: true, ...TELL },
    sends: [GRPC, GRPC],
    statuses: [200, 200],
  },
  {
    name: "a plain call that exhausts a resource",
    limit: { ...bucket(1), rate_limited_as_resource_exhausted: true },
    sends: none(2),
    statuses: [200, 429],
  },
  { name: "HEAD", limit: bucket(0), sends: none(1), method: "HEAD", statuses: [429] },
  {
    name: "a retry policy for it",
    limit: bucket(1),
    action: { retry_policy: { retry_on: "5xx,envoy-ratelimited", num_retries: 3 } },
    sends: none(2),
    statuses: [200, 429],
  },
];

/** A filter with rules of its own. */
function own(
  name: string,
  rules: readonly object[],
  descriptors: readonly object[],
  sends: readonly string[],
  statuses: readonly number[],
  limit: object = {},
): RateLimitCase {
  return {
    name,
    limit: { ...bucket(100), ...TELL, rate_limits: rules, descriptors, ...limit },
    sends,
    statuses,
  };
}

const hits = (options: object): object => ({ ...rule(key("x")), hits_addend: options });
const X = (max: number, interval?: string, more?: object): object =>
  descriptor("generic_key=x", max, interval, more);
const Y = (max: number, interval?: string, more?: object): object =>
  descriptor("generic_key=y", max, interval, more);
const both = [rule(key("x")), rule(key("y"))];
const SHADOW = { shadow_mode: true };
const user = [rule(ofHeader("x-user"))];
const users = (names: string): readonly string[] =>
  names.split(" ").map((one) => `X-User: ${one}\r\n`);

const OWN_RULES: readonly RateLimitCase[] = [
  own("rules of the filter", [rule(key("x"))], [X(1)], none(2), [200, 429]),
  {
    ...own(
      "rules of the filter over those of the route",
      [rule(key("y"))],
      [X(0), Y(2)],
      none(3),
      [200, 200, 429],
    ),
    routeLimits: [rule(key("x"))],
  },
  own(
    "rules of the filter for the end of the stream",
    [{ ...rule(key("x")), apply_on_stream_done: true }],
    [X(0)],
    none(2),
    [200, 200],
  ),
  own(
    "a rule that tells nothing",
    [{ ...rule(key("x")), x_ratelimit_option: "OFF" }],
    [X(1)],
    none(2),
    [200, 429],
  ),
  own(
    "a rule that tells",
    [{ ...rule(key("x")), x_ratelimit_option: "DRAFT_VERSION_03" }],
    [X(1)],
    none(2),
    [200, 429],
    { enable_x_ratelimit_headers: "OFF" },
  ),
  own("the same rule twice", [rule(key("x")), rule(key("x"))], [X(3)], none(2), [200, 429]),
  own(
    "two descriptors, the slower one smaller",
    both,
    [X(1, "1000s"), Y(3, "100s")],
    none(2),
    [200, 429],
  ),
  own(
    "two descriptors, the faster one smaller",
    both,
    [X(3, "1000s"), Y(1, "100s")],
    none(3),
    [200, 429, 429],
  ),
  own("two descriptors of one speed", both, [Y(3), X(2)], none(3), [200, 200, 429]),
  own(
    "a descriptor and an empty default",
    [rule(key("x"))],
    [X(3)],
    none(2),
    [200, 429],
    bucket(1),
  ),
  own("a descriptor that spares the default", [rule(key("x"))], [X(2)], none(3), [200, 200, 429], {
    ...bucket(1),
    always_consume_default_token_bucket: false,
  }),
  own("no descriptor where one spares the default", user, [X(2)], none(2), [200, 429], {
    ...bucket(1),
    always_consume_default_token_bucket: false,
  }),
  own("a descriptor of none", [rule(key("x"))], [X(0)], none(1), [429], {
    enable_retry_after_header: true,
  }),
  own("any user", user, [descriptor("h=", 1)], users("a a b b a"), [200, 429, 200, 429, 429]),
  own(
    "any user but one",
    user,
    [descriptor("h=", 1), descriptor("h=vip", 2)],
    users("vip vip vip a a"),
    [200, 200, 429, 200, 429],
  ),
  own("no user where any has a bucket", user, [descriptor("h=", 1)], none(2), [200, 200]),
  own(
    "more users than there may be",
    user,
    [descriptor("h=", 1)],
    users("a b a c b a a"),
    [200, 200, 429, 200, 200, 200, 429],
    { max_dynamic_descriptors: 2 },
  ),
  own("hits by number", [hits({ number: 4 })], [X(10)], none(3), [200, 200, 429]),
  own("no hits", [hits({ number: 0 })], [X(10)], none(1), [429]),
  own(
    "hits given back",
    [rule(key("x")), hits({ number: 1, is_negative_hits: true })],
    [X(1)],
    none(3),
    [200, 200, 200],
  ),
  own(
    "more hits given back than there is room for",
    [hits({ number: 9, is_negative_hits: true })],
    [X(2)],
    none(2),
    [200, 200],
  ),
  own(
    "hits by a format",
    [hits({ format: "%REQ(x-n)%" })],
    [X(100)],
    ["4", "2.9", "1e1", ".5e1", "+3", "0x10", "2.", "90"].map((n) => `X-N: ${n}\r\n`),
    [200, 200, 200, 200, 200, 200, 200, 429],
  ),
  own(
    "hits by a format that are none",
    [hits({ format: "%REQ(x-n)%" })],
    [X(0)],
    ["X-N: nope\r\n", "X-N: -1\r\n", "X-N: 3x\r\n", "X-N: inf\r\n", "X-N: 1000000001\r\n", ""],
    [200, 200, 200, 200, 200, 200],
  ),
  own("half a hit", [hits({ format: "%REQ(x-n)%" })], [X(5)], ["X-N: 0.5\r\n"], [429]),
  own(
    "hits by a format of a number",
    [hits({ format: "%BYTES_RECEIVED%" })],
    [X(5)],
    none(1),
    [429],
  ),
  own("a shadow", [rule(key("x"))], [X(1, "1000s", SHADOW)], none(3), [200, 200, 429], bucket(2)),
  own(
    "a shadow before another",
    both,
    [X(1, "1000s", SHADOW), Y(2, "100s")],
    none(3),
    [200, 200, 429],
  ),
  own("two shadows", both, [X(1, "1000s", SHADOW), Y(1, "100s", SHADOW)], none(2), [200, 200]),
  own(
    "the second of two shadows",
    both,
    [X(5, "1000s", SHADOW), Y(1, "100s", SHADOW)],
    none(2),
    [200, 200],
  ),
  own(
    "a shadow that nobody enforces",
    [rule(key("x"))],
    [X(1, "1000s", SHADOW)],
    none(2),
    [200, 200],
    {
      filter_enforced: undefined,
      request_headers_to_add_when_not_enforced: [{ header: { key: "x-over", value: "yes" } }],
    },
  ),
  own(
    "a shadow with headers for the upstream",
    [rule(key("x"))],
    [X(1, "1000s", SHADOW)],
    none(2),
    [200, 200],
    {
      request_headers_to_add_when_not_enforced: [{ header: { key: "x-over", value: "yes" } }],
    },
  ),
];

export const RATE_LIMIT_CASES: readonly RateLimitCase[] = [
  ...BUCKETS,
  ...ANSWERS,
  ...HEADERS,
  ...DESCRIPTOR_CASES,
  ...OWN_RULES,
];
