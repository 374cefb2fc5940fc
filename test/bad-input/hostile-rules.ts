import { all, entry, type HostileObjects, http, many, rule, vs } from "./hostile-yaml.ts";

/** What rules do. */
export const ROUTES: readonly HostileObjects[] = [
  {
    name: "weights of 0 and 0",
    yaml: http(
      "{ route: [{ destination: { host: a }, weight: 0 }, { destination: { host: b }, weight: 0 }] }",
    ),
  },
  { name: "one weight of 0", yaml: http("{ route: [{ destination: { host: a }, weight: 0 }] }") },
  {
    name: "weights of 2^31",
    yaml: http(
      "{ route: [{ destination: { host: a }, weight: 2147483648 }, { destination: { host: b }, weight: 1 }] }",
    ),
  },
  {
    name: "weights of 2^31-1",
    yaml: http(
      "{ route: [{ destination: { host: a }, weight: 2147483647 }, { destination: { host: b }, weight: 2147483647 }] }",
    ),
  },
  {
    name: "three weights of 2^31-1",
    yaml: http(
      "{ route: [{ destination: { host: a }, weight: 2147483647 }, { destination: { host: b }, weight: 2147483647 }, { destination: { host: bare }, weight: 2147483647 }] }",
    ),
  },
  {
    name: "weights of 30 and 30",
    yaml: http(
      "{ route: [{ destination: { host: a }, weight: 30 }, { destination: { host: b }, weight: 30 }] }",
    ),
  },
  {
    name: "weights that are missing of two",
    yaml: http("{ route: [{ destination: { host: a } }, { destination: { host: b } }] }"),
  },
  {
    name: "one of two weights missing",
    yaml: http(
      "{ route: [{ destination: { host: a }, weight: 100 }, { destination: { host: b } }] }",
    ),
  },
  {
    name: "a negative weight",
    yaml: http("{ route: [{ destination: { host: a }, weight: -1 }] }"),
  },
  {
    name: "one destination twice",
    yaml: http(
      "{ route: [{ destination: { host: a }, weight: 1 }, { destination: { host: a }, weight: 2 }] }",
    ),
  },
  {
    name: "1000 destinations",
    yaml: http(
      `{ route: [${many(1000, (at) => `{ destination: { host: ${at % 2 ? "a" : "b"} }, weight: 1 }`)}] }`,
    ),
  },
  {
    name: "tcp weights of 0 and 0",
    yaml: vs(
      "{ hosts: [a], tcp: [{ route: [{ destination: { host: a, port: { number: 90 } }, weight: 0 }, { destination: { host: bare, port: { number: 90 } }, weight: 0 }] }] }",
    ),
  },
  {
    name: "tcp weights of 2^31-1",
    yaml: vs(
      "{ hosts: [a], tcp: [{ route: [{ destination: { host: a, port: { number: 90 } }, weight: 2147483647 }, { destination: { host: bare, port: { number: 90 } }, weight: 2147483647 }, { destination: { host: b, port: { number: 80 } }, weight: 2147483647 }] }] }",
    ),
  },
  {
    name: "a delegate to itself",
    yaml: vs("{ hosts: [a], http: [{ delegate: { name: hostile } }] }"),
  },
  {
    name: "delegates in a circle",
    yaml: all(
      vs("{ hosts: [a], http: [{ delegate: { name: one } }] }"),
      vs("{ http: [{ delegate: { name: two } }] }", "one"),
      vs("{ http: [{ delegate: { name: one } }] }", "two"),
    ),
  },
  {
    name: "a delegate of a delegate",
    yaml: all(
      vs("{ hosts: [a], http: [{ delegate: { name: one } }] }"),
      vs("{ http: [{ delegate: { name: two } }] }", "one"),
      vs("{ http: [{ route: [{ destination: { host: b } }] }] }", "two"),
    ),
  },
  {
    name: "a delegate that is not there",
    yaml: vs("{ hosts: [a], http: [{ delegate: { name: nowhere } }] }"),
  },
  {
    name: "a delegate with hosts",
    yaml: all(
      vs("{ hosts: [a], http: [{ delegate: { name: one } }] }"),
      vs("{ hosts: [b], http: [{ route: [{ destination: { host: b } }] }] }", "one"),
    ),
  },
  {
    name: "a delegate that is not exported",
    yaml: all(
      vs("{ hosts: [a], http: [{ delegate: { name: one, namespace: elsewhere } }] }"),
      vs("{ exportTo: ['.'], http: [{ route: [{ destination: { host: b } }] }] }", "one.elsewhere"),
    ),
  },
  {
    name: "a delegate whose matches conflict",
    yaml: all(
      vs("{ hosts: [a], http: [{ match: [{ uri: { prefix: /x } }], delegate: { name: one } }] }"),
      vs(
        "{ http: [{ match: [{ uri: { prefix: /y } }], route: [{ destination: { host: b } }] }] }",
        "one",
      ),
    ),
  },
  {
    name: "a delegate beside a route",
    yaml: http("{ delegate: { name: one }, route: [{ destination: { host: a } }] }"),
  },
  {
    name: "a delegate that nobody names",
    yaml: vs("{ http: [{ route: [{ destination: { host: b } }] }] }"),
  },
  { name: "a rule without an action", yaml: http("{ match: [{ uri: { prefix: / } }] }") },
  {
    name: "a rule after one that takes all",
    yaml: http(
      "{ route: [{ destination: { host: a } }] }, { match: [{ uri: { prefix: /x } }], route: [{ destination: { host: b } }] }",
    ),
  },
  { name: "a redirect to itself", yaml: http("{ redirect: { uri: /, authority: a } }") },
  { name: "a redirect of nothing", yaml: http("{ redirect: {} }") },
  { name: "a redirect with code 999", yaml: http("{ redirect: { uri: /x, redirectCode: 999 } }") },
  { name: "a redirect with code 200", yaml: http("{ redirect: { uri: /x, redirectCode: 200 } }") },
  { name: "a redirect to port 0", yaml: http("{ redirect: { uri: /x, port: 0 } }") },
  { name: "a redirect to port 70000", yaml: http("{ redirect: { uri: /x, port: 70000 } }") },
  {
    name: "a redirect with a line break",
    yaml: http('{ redirect: { uri: "/x\\r\\nset-cookie: a=b" } }'),
  },
  {
    name: "a redirect to an authority with a line break",
    yaml: http('{ redirect: { authority: "x\\r\\ny" } }'),
  },
  {
    name: "a redirect beside a rewrite",
    yaml: http("{ redirect: { uri: /x }, rewrite: { uri: /y } }"),
  },
  {
    name: "a redirect to %PREFIX()%",
    yaml: http("{ match: [{ uri: { prefix: /x } }], redirect: { uri: '%PREFIX()%/y' } }"),
  },
  { name: "a rewrite to nothing", yaml: rule("rewrite: { uri: '' }") },
  { name: "a rewrite with a line break", yaml: rule('rewrite: { uri: "/x\\ny" }') },
  { name: "a rewrite without a slash", yaml: rule("rewrite: { uri: x }") },
  { name: "a rewrite of the authority with spaces", yaml: rule("rewrite: { authority: 'a b' }") },
  {
    name: "a rewrite by a group that is not there",
    yaml: rule("rewrite: { uriRegexRewrite: { match: '^/(x)', rewrite: '\\9' } }"),
  },
  {
    name: "a rewrite with a backslash at its end",
    yaml: rule("rewrite: { uriRegexRewrite: { match: '^/(x)', rewrite: '/y\\' } }"),
  },
  { name: "a direct response of 99", yaml: http("{ directResponse: { status: 99 } }") },
  { name: "a direct response of 600", yaml: http("{ directResponse: { status: 600 } }") },
  { name: "a direct response of 101", yaml: http("{ directResponse: { status: 101 } }") },
  {
    name: "a direct response of 5000 characters",
    yaml: http(`{ directResponse: { status: 200, body: { string: ${"x".repeat(5000)} } } }`),
  },
  {
    name: "a direct response of 2 MB",
    yaml: http(`{ directResponse: { status: 200, body: { string: ${"x".repeat(2_000_000)} } } }`),
  },
  {
    name: "a direct response of bytes",
    yaml: http("{ directResponse: { status: 200, body: { bytes: /w== } } }"),
  },
  { name: "a mirror to itself", yaml: rule("mirror: { host: a }") },
  {
    name: "a mirror of 0 percent",
    yaml: rule("mirrors: [{ destination: { host: b }, percentage: { value: 0 } }]"),
  },
  {
    name: "a mirror of 0.0001 percent",
    yaml: rule("mirrors: [{ destination: { host: b }, percentage: { value: 0.0001 } }]"),
  },
  {
    name: "a mirror of 0.00001 percent",
    yaml: rule("mirrors: [{ destination: { host: b }, percentage: { value: 0.00001 } }]"),
  },
  {
    name: "a mirror of 101 percent",
    yaml: rule("mirrors: [{ destination: { host: b }, percentage: { value: 101 } }]"),
  },
  {
    name: "a hundred mirrors",
    yaml: rule(`mirrors: [${many(100, () => "{ destination: { host: b } }")}]`),
  },
  { name: "a timeout of 100 years", yaml: rule("timeout: 876000h") },
  { name: "a timeout of 10000 years", yaml: rule("timeout: 87600000h") },
  { name: "a timeout of 1 ns", yaml: rule("timeout: 1ns") },
  { name: "a timeout of 0", yaml: rule("timeout: 0s") },
  { name: "a negative timeout", yaml: rule("timeout: -1s") },
  { name: "1000 retries", yaml: rule("retries: { attempts: 1000 }") },
  { name: "2^31-1 retries", yaml: rule("retries: { attempts: 2147483647, perTryTimeout: 1s }") },
  { name: "-1 retries", yaml: rule("retries: { attempts: -1 }") },
  {
    name: "a try of 1 ms and a back-off of 100 years",
    yaml: rule("retries: { attempts: 2, perTryTimeout: 1ms, backoff: 876000h }"),
  },
  { name: "a back-off of 0", yaml: rule("retries: { attempts: 2, backoff: 0s }") },
  {
    name: "a retry on nothing that there is",
    yaml: rule("retries: { attempts: 2, retryOn: 'whenever' }"),
  },
  {
    name: "a retry on an odd list",
    yaml: rule("retries: { attempts: 2, retryOn: ',,5xx, ,503,' }"),
  },
  { name: "a retry on 999", yaml: rule("retries: { attempts: 2, retryOn: '999' }") },
  {
    name: "a fault of 0.0001 percent",
    yaml: rule("fault: { abort: { httpStatus: 500, percentage: { value: 0.0001 } } }"),
  },
  {
    name: "a fault of 200 percent",
    yaml: rule("fault: { abort: { httpStatus: 500, percentage: { value: 200 } } }"),
  },
  { name: "a fault of status 0", yaml: rule("fault: { abort: { httpStatus: 0 } }") },
  { name: "a fault of status 99", yaml: rule("fault: { abort: { httpStatus: 99 } }") },
  {
    name: "a delay of 100 years",
    yaml: rule("fault: { delay: { fixedDelay: 876000h, percentage: { value: 1 } } }"),
  },
  { name: "a delay of 0", yaml: rule("fault: { delay: { fixedDelay: 0s } }") },
  { name: "a fault of an odd gRPC status", yaml: rule("fault: { abort: { grpcStatus: 'OOPS' } }") },
  { name: "a fault of nothing", yaml: rule("fault: {}") },
  {
    name: "a header with a space in its name",
    yaml: rule("headers: { request: { set: { 'x y': z } } }"),
  },
  {
    name: "a header with a colon in its name",
    yaml: rule("headers: { request: { set: { ':path': z } } }"),
  },
  { name: "the header host", yaml: rule("headers: { request: { set: { Host: x.io } } }") },
  {
    name: "a header removed that may not be",
    yaml: rule("headers: { request: { remove: [':path', Host] } }"),
  },
  { name: "an empty header name", yaml: rule("headers: { request: { set: { '': z } } }") },
  {
    name: "a header value with a line break",
    yaml: rule('headers: { response: { set: { x: "a\\r\\nb" } } }'),
  },
  {
    name: "a header value with a zero byte",
    yaml: rule('headers: { response: { set: { x: "a\\0b" } } }'),
  },
  {
    name: "a header value in unicode",
    yaml: rule("headers: { response: { set: { x: 'bücher' } } }"),
  },
  {
    name: "a header value with a lone percent",
    yaml: rule("headers: { response: { set: { x: '100%' } } }"),
  },
  {
    name: "a header value with an operator that there is not",
    yaml: rule("headers: { response: { set: { x: '%OOPS%' } } }"),
  },
  {
    name: "a header value with an operator cut short",
    yaml: rule("headers: { response: { set: { x: '%REQ(a' } } }"),
  },
  { name: "an empty header value", yaml: rule("headers: { response: { set: { x: '' } } }") },
  {
    name: "a header set and removed",
    yaml: rule("headers: { response: { set: { x: y }, add: { x: z }, remove: [x] } }"),
  },
  {
    name: "1000 headers",
    yaml: rule(`headers: { request: { set: { ${many(1000, (at) => `x-${at}: y`)} } } }`),
  },
  {
    name: "a header of 64 KB",
    yaml: rule(`headers: { request: { set: { x: ${"y".repeat(65536)} } } }`),
  },
  {
    name: "a CORS origin that is empty",
    yaml: rule("corsPolicy: { allowOrigins: [{ exact: '' }] }"),
  },
  {
    name: "a CORS age of 100 years",
    yaml: rule("corsPolicy: { allowOrigins: [{ exact: '*' }], maxAge: 876000h }"),
  },
  {
    name: "a CORS method that is none",
    yaml: rule("corsPolicy: { allowOrigins: [{ exact: '*' }], allowMethods: ['GE T'] }"),
  },
  {
    name: "a CORS header that is none",
    yaml: rule(
      "corsPolicy: { allowOrigins: [{ exact: '*' }], allowHeaders: ['x y', \"z\\r\\n\"] }".replaceAll(
        '\\"',
        '"',
      ),
    ),
  },
  { name: "CORS for nobody", yaml: rule("corsPolicy: {}") },
  { name: "no rule at all", yaml: vs("{ hosts: [a] }") },
  { name: "an empty list of rules", yaml: vs("{ hosts: [a], http: [] }") },
  { name: "a rule with an empty list of destinations", yaml: http("{ route: [] }") },
  {
    name: "a rule with an odd name",
    yaml: http('{ name: "a\\nb.c/d|é", route: [{ destination: { host: a } }] }'),
  },
  {
    name: "two rules of one name",
    yaml: http(
      "{ name: x, match: [{ uri: { prefix: /x } }], route: [{ destination: { host: a } }] }, { name: x, route: [{ destination: { host: a } }] }",
    ),
  },
  {
    name: "a tls rule without names",
    yaml: vs(
      "{ hosts: [a], tls: [{ match: [{ sniHosts: [] }], route: [{ destination: { host: a } }] }] }",
    ),
  },
  {
    name: "a tls rule for a name that is no host of the object",
    yaml: vs(
      "{ hosts: [x.io], tls: [{ match: [{ sniHosts: [y.io] }], route: [{ destination: { host: a } }] }] }",
    ),
  },
  {
    name: "a tls rule for *",
    yaml: vs(
      "{ hosts: ['*'], tls: [{ match: [{ sniHosts: ['*'] }], route: [{ destination: { host: a, port: { number: 443 } } }] }] }",
    ),
  },
  {
    name: "a tls rule twice",
    yaml: all(
      entry("x.io", "", "{ number: 443, name: tls, protocol: TLS }"),
      vs(
        "{ hosts: [x.io], tls: [{ match: [{ sniHosts: [x.io] }], route: [{ destination: { host: x.io } }] }, { match: [{ sniHosts: [x.io] }], route: [{ destination: { host: a } }] }] }",
      ),
    ),
  },
  {
    name: "tcp rules for subnets that overlap",
    yaml: vs(
      "{ hosts: [a], tcp: [{ match: [{ destinationSubnets: [0.0.0.0/0] }], route: [{ destination: { host: a } }] }, { match: [{ destinationSubnets: [10.0.0.0/8, 10.0.0.0/8] }], route: [{ destination: { host: b } }] }] }",
    ),
  },
  {
    name: "a tcp rule for an odd subnet",
    yaml: vs(
      "{ hosts: [a], tcp: [{ match: [{ destinationSubnets: [10.0.0.0/33] }], route: [{ destination: { host: a } }] }] }",
    ),
  },
  {
    name: "a tcp rule for port 0",
    yaml: vs(
      "{ hosts: [a], tcp: [{ match: [{ port: 0 }], route: [{ destination: { host: a } }] }] }",
    ),
  },
  {
    name: "a tcp rule for port 65536",
    yaml: vs(
      "{ hosts: [a], tcp: [{ match: [{ port: 65536 }], route: [{ destination: { host: a } }] }] }",
    ),
  },
];
