import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";

/** One request, as far as routes look at it. */
export interface RouteQuery {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** A table and what it is asked. */
export interface RouteTableCase {
  readonly table: JsonValue;
  readonly queries: readonly RouteQuery[];
}

const DOMAINS = [
  ..."a.test A.b.test a.test:80 *.test *.b.test *-x.test *b.test a.* a.t* a.test:* *:80".split(" "),
  ..."* b.test:8080 [::1] [::1]:80 test *t".split(" "),
];
const AUTHORITIES = [
  ..."a.test A.TEST a.test:80 a.test:81 x.test y.x.test b.test B.test:8080 a.b.test".split(" "),
  ..."y-x.test -x.test a.example .test test a. [::1] [::1]:80 other".split(" "),
];

const PREFIXES = "/ /a /A /a/ /a/b /b /ab /a. /é /%61 /a;x".split(" ");
const PATHS = [
  ..."/ /a /A /a/ /a/b /a/B/c /b /ab /abc /aXb /a.b /a;x /a;x/b /%61 /a%2Fb /a//b /b/a/b".split(
    " ",
  ),
  ..."/123 /a/12.html /b/".split(" "),
];
const QUERIES = [
  "",
  "?",
  "?q",
  "?q=1",
  "?q=2",
  "?x=1&q=1",
  "?q=2&q=1",
  "?qq=1",
  "?Q=1",
  "?q=%31",
  "?q=a;x",
];
const REGEXES = ["/a.*", "/[ab]", "(?i)/a/b", "/\\d+", ".*", "/a|/b/", "", "/a\\?q"].filter(
  Boolean,
);
const TEMPLATES = ["/a", "/*", "/a/*", "/**", "/{x}/b", "/a/{f=**}.html", "/{x=**}b"];
const VALUES = ["", "1", "a", "A", "abc", "12", "-5", "5,6", "a,b", " a"];

const TEXT_MATCH: fc.Arbitrary<JsonValue> = fc
  .tuple(
    fc.constantFrom("exact", "prefix", "suffix", "contains"),
    fc.constantFrom("a", "A", "1", "bc", "a,b", "1,a"),
    fc.boolean(),
  )
  .map(([kind, text, ignoresCase]) => ({ [kind]: text, ignore_case: ignoresCase }));

const STRING_MATCH: fc.Arbitrary<JsonValue> = fc.oneof(
  TEXT_MATCH,
  fc
    .constantFrom("[a-c]+", "\\d", ".*", "(?i)a", "a,b")
    .map((regex) => ({ safe_regex: { regex } })),
);

const PATH_MATCH: fc.Arbitrary<{ readonly [key: string]: JsonValue }> = fc.oneof(
  fc.constantFrom(...PREFIXES, "").map((prefix) => ({ prefix })),
  fc.constantFrom(...PREFIXES).map((path) => ({ path })),
  fc.constantFrom("/a", "/a/b", "/A", "/b").map((prefix) => ({ path_separated_prefix: prefix })),
  fc.constantFrom(...REGEXES).map((regex) => ({ safe_regex: { regex } })),
  fc.constantFrom(...TEMPLATES).map((template) => ({
    path_match_policy: {
      name: "envoy.path.match.uri_template.uri_template_matcher",
      typed_config: {
        "@type":
          "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
        path_template: template,
      },
    },
  })),
);

const HEADER_MATCH: fc.Arbitrary<JsonValue> = fc
  .record({
    name: fc.constantFrom("x", "X", "y", ":method", ":path", ":authority", "host", ":scheme"),
    specifier: fc.oneof(
      fc.constant({}),
      fc.boolean().map((present_match) => ({ present_match })),
      STRING_MATCH.map((string_match) => ({ string_match })),
      fc.constant({ range_match: { start: "-5", end: "13" } }),
    ),
    invert_match: fc.boolean(),
    treat_missing_header_as_empty: fc.boolean(),
  })
  .map(({ specifier, ...rest }) => ({ ...rest, ...specifier }));

const QUERY_MATCH: fc.Arbitrary<JsonValue> = fc
  .tuple(
    fc.constantFrom("q", "x", "Q", "qq"),
    fc.oneof(
      fc.constant({}),
      fc.boolean().map((present_match) => ({ present_match })),
      STRING_MATCH.map((string_match) => ({ string_match })),
    ),
  )
  .map(([name, specifier]) => ({ name, ...specifier }));

const SHARE: fc.Arbitrary<JsonValue> = fc.constantFrom(
  { default_value: { numerator: 0 } },
  { default_value: { numerator: 100 } },
  { default_value: { numerator: 0 }, runtime_key: "always" },
  { default_value: { numerator: 100 }, runtime_key: "never" },
  { default_value: { numerator: 1_000_000, denominator: "MILLION" }, runtime_key: "unset" },
);

const MATCH: fc.Arbitrary<JsonObject> = fc
  .record({
    path: PATH_MATCH,
    ignoresCase: fc.boolean(),
    headers: fc.oneof(
      { weight: 2, arbitrary: fc.constant<JsonValue[]>([]) },
      fc.array(HEADER_MATCH, { minLength: 1, maxLength: 2 }),
    ),
    query: fc.oneof(
      { weight: 3, arbitrary: fc.constant<JsonValue[]>([]) },
      fc.array(QUERY_MATCH, { minLength: 1, maxLength: 2 }),
    ),
    share: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, SHARE),
  })
  .map(({ path, ignoresCase, headers, query, share }) => ({
    ...path,
    ...(ignoresCase ? { case_sensitive: false } : {}),
    headers,
    query_parameters: query,
    ...(share === undefined ? {} : { runtime_fraction: share }),
  }));

const REDIRECT: fc.Arbitrary<{ readonly [key: string]: JsonValue }> = fc
  .record({
    scheme: fc.constantFrom(
      {},
      { https_redirect: true },
      { scheme_redirect: "ftp" },
      { https_redirect: false },
    ),
    host: fc.constantFrom({}, { host_redirect: "new.test" }, { host_redirect: "new.test:99" }),
    port: fc.constantFrom({}, { port_redirect: 81 }, { port_redirect: 443 }),
    path: fc.constantFrom(
      {},
      { path_redirect: "/new" },
      { path_redirect: "/new?k=v" },
      { path_redirect: "/new#f" },
      { prefix_rewrite: "/n" },
      { prefix_rewrite: "/" },
      regexRewrite("a", "<\\0>"),
      regexRewrite("/([^/]+)/(.*)", "/\\2/\\1"),
      regexRewrite("b*", "-"),
      regexRewrite("(a|ab)(c|b)?", "[\\2\\1]"),
      regexRewrite("a+?", "\\9"),
      regexRewrite("^/|c$", "\\\\"),
    ),
    strip_query: fc.boolean(),
    response_code: fc.constantFrom("FOUND", "PERMANENT_REDIRECT", "SEE_OTHER"),
  })
  .map(({ scheme, host, port, path, ...rest }) => ({
    ...scheme,
    ...host,
    ...port,
    ...path,
    ...rest,
  }));

function regexRewrite(regex: string, substitution: string): { [key: string]: JsonValue } {
  return { regex_rewrite: { pattern: { regex }, substitution } };
}

interface GeneratedRoute {
  readonly match: JsonObject;
  readonly redirect: { readonly [key: string]: JsonValue } | undefined;
}

const ROUTE: fc.Arbitrary<GeneratedRoute> = fc
  .record({ match: MATCH, redirect: fc.option(REDIRECT, { nil: undefined, freq: 2 }) })
  .map(({ match, redirect }) => {
    // Refused by both.
    const isRefused = "path_match_policy" in match && redirect?.["prefix_rewrite"] !== undefined;
    return { match, redirect: isRefused ? undefined : redirect };
  });

const TABLE: fc.Arbitrary<JsonValue> = fc
  .record({
    domains: fc.shuffledSubarray(DOMAINS, { minLength: 4, maxLength: 12 }),
    hostCount: fc.integer({ min: 1, max: 4 }),
    routes: fc.array(fc.array(ROUTE, { minLength: 2, maxLength: 6 }), {
      minLength: 4,
      maxLength: 4,
    }),
    ignore_port_in_host_matching: fc.boolean(),
    ignore_path_parameters_in_path_matching: fc.boolean(),
  })
  .map(({ domains, hostCount, routes, ...rest }) => ({
    name: "generated",
    ...rest,
    virtual_hosts: Array.from({ length: hostCount }, (_, host) => ({
      name: `host-${host}`,
      domains: domains.filter((_domain, at) => at % hostCount === host),
      routes: (routes[host] ?? []).map(({ match, redirect }, at) => ({
        name: `${host}.${at}`,
        match,
        ...(redirect === undefined
          ? { direct_response: { status: 200, body: { inline_string: `route ${host}.${at}` } } }
          : { redirect }),
      })),
    })),
  }));

const QUERY: fc.Arbitrary<RouteQuery> = fc.record({
  method: fc.constantFrom("GET", "POST", "OPTIONS", "PUT"),
  path: fc
    .tuple(fc.constantFrom(...PATHS), fc.constantFrom(...QUERIES))
    .map(([path, query]) => path + query),
  authority: fc.constantFrom(...AUTHORITIES),
  headers: fc.array(fc.tuple(fc.constantFrom("x", "X", "y"), fc.constantFrom(...VALUES)), {
    maxLength: 3,
  }),
});

/** So many tables, each with so many requests; the same for the same seed. */
export function generateRouteTables(
  seed: number,
  count: number,
  queryCount: number,
): readonly RouteTableCase[] {
  const one = fc.record({
    table: TABLE,
    queries: fc.array(QUERY, { minLength: queryCount, maxLength: queryCount, size: "max" }),
  });
  return fc.sample(one, { seed, numRuns: count });
}
