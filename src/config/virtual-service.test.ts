import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";

function issuesOf(spec: object, metadata: object = {}): readonly string[] {
  const result = decodeObject({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "a", namespace: "own", ...metadata },
    spec,
  });
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(({ path, message, severity }) => `${severity ?? "error"} ${path}: ${message}`);
}

const ROUTE = [{ destination: { host: "reviews" } }];

/** What issues begin with; a path that starts with "." goes on from `path`. */
function starting(starts: readonly string[], path = ""): readonly unknown[] {
  return starts.map((start) => expect.stringContaining(start.replace(" .", ` ${path}.`)));
}

describe("hosts, gateways and exportTo", () => {
  it.each<[object, readonly string[]]>([
    [{ hosts: ["1.2.3.4", "fd00::1"] }, []],
    [{ hosts: ["*", "a"], gateways: ["gw"] }, ['error spec.hosts[1]: "a" overlaps with "*"']],
    [{ hosts: ["a", "a"] }, ['error spec.hosts[1]: "a" overlaps with "a"']],
    [{ hosts: ["reviews", "reviews.own.svc.cluster.local"] }, []],
    [
      { hosts: ["x.foo.bar", "*.bar", "y.bar", "*.foo.bar"] },
      [
        'error spec.hosts[1]: "*.bar" overlaps with "x.foo.bar"',
        'error spec.hosts[2]: "y.bar" overlaps with "*.bar"',
        'error spec.hosts[3]: "*.foo.bar" overlaps with "x.foo.bar"',
      ],
    ],
    [{ hosts: ["*"], gateways: ["mesh", "gw"] }, ['error spec.hosts[0]: "*" is only for gateways']],
    [{ hosts: ["a"], gateways: ["Ns/Gw"] }, []],
    [
      { hosts: ["a"], gateways: ["ns/*", "a/b/c", "/b"] },
      [
        "error spec.gateways[0]: must be <name> or <namespace>/<name>",
        "error spec.gateways[1]: must be <name> or <namespace>/<name>",
        "error spec.gateways[2]: must be <name> or <namespace>/<name>",
      ],
    ],
    [{ hosts: ["a"], exportTo: [".", "other"] }, []],
    [
      { hosts: ["a"], exportTo: [".", "own"] },
      ['error spec.exportTo[1]: "own" is the same as "."'],
    ],
    [
      { hosts: ["a"], exportTo: ["*", "x"] },
      ['error spec.exportTo[0]: "*" must be the only entry'],
    ],
    [{ hosts: ["a"], exportTo: ["~"] }, ["error spec.exportTo[0]: must be a namespace"]],
    [{ hosts: ["a"], exportTo: [""] }, ["error spec.exportTo[0]: must be a namespace"]],
  ])("%j gives %j", (spec, starts) => {
    expect(issuesOf({ ...spec, http: [{ route: ROUTE }] })).toEqual(starting(starts));
  });

  it("are held to what a delegate may have", () => {
    const tcp = [{ route: ROUTE }];
    const tls = [{ match: [{ sniHosts: ["a"] }], route: ROUTE }];
    expect(issuesOf({ gateways: ["gw"], tcp, tls, http: [{ delegate: { name: "b" } }] })).toEqual(
      starting([
        "error spec.gateways: must not be set without hosts",
        "error spec.tls: must not be set without hosts",
        "error spec.tcp: must not be set without hosts",
        "error spec.http[0].delegate: a VirtualService without hosts is a delegate",
        "error spec.http[0].route: HTTP route, redirect or direct_response is required",
        "error spec.tls[0].match[0].sniHosts[0]: must be within one of spec.hosts ()",
      ]),
    );
  });

  it("refuse the annotations that Istio's webhook refuses", () => {
    const annotations = { "istio.io/dry-run": "true", "internal.istio.io/parents": "x" };
    expect(issuesOf({ hosts: ["a"], http: [{ route: ROUTE }] }, { annotations })).toEqual(
      starting([
        "error metadata.annotations[istio.io/dry-run]: is only for AuthorizationPolicy",
        "error metadata.annotations[internal.istio.io/parents]: is for objects that",
      ]),
    );
  });
});

describe("http rules", () => {
  it.each<[object, readonly string[]]>([
    [{ redirect: { uri: "/x" } }, []],
    [{ directResponse: { status: 404 } }, []],
    [{ delegate: { name: "b", namespace: "c" } }, []],
    [
      { delegate: { name: "b" }, route: ROUTE, redirect: { uri: "/" } },
      [
        "error .redirect: must not stand beside delegate",
        "error .route: must not stand beside delegate",
      ],
    ],
    [{ delegate: {} }, ["warning .delegate.name: is empty"]],
    [
      { redirect: { uri: "/" }, route: ROUTE, fault: { abort: { httpStatus: 500 } } },
      [
        "error .route: must not stand beside redirect",
        "error .fault: must not stand beside redirect",
      ],
    ],
    [
      { redirect: { uri: "/" }, rewrite: { uri: "/" }, directResponse: { status: 200 } },
      [
        "error .rewrite: must not stand beside redirect",
        "error .rewrite: must not stand beside directResponse",
        "error .directResponse: must not stand beside redirect",
      ],
    ],
    [{ redirect: {} }, ["error .redirect: must change the uri"]],
    [{ redirect: { port: 8443 } }, []],
    [{ redirect: { derivePort: "FROM_REQUEST_PORT" } }, []],
    [
      { redirect: { port: 1, derivePort: "FROM_REQUEST_PORT" } },
      ["error .redirect: may have only"],
    ],
    [{ redirect: { port: 65_536 } }, ["error .redirect.port: must be between 1 and 65535"]],
    [{ redirect: { uri: "/", prefixRewrite: "/" } }, ["error .redirect.prefixRewrite: must not"]],
    [{ redirect: { scheme: "ftp" } }, ["error .redirect.scheme: must be http or https"]],
    [
      { redirect: { uri: "/", redirectCode: 200 } },
      ["error .redirect.redirectCode: must be between"],
    ],
    [{ redirect: { uri: "/", redirectCode: 305 } }, ["warning .redirect.redirectCode: 305 cannot"]],
    [{ directResponse: { status: 600 } }, ["error .directResponse.status: must be between 200"]],
    [{ directResponse: {} }, ["error .directResponse.status: is required"]],
    [
      { directResponse: { status: 200, body: { string: "a", bytes: "YQ==" } } },
      ['error .directResponse.body: may have only one of "string", "bytes"'],
    ],
    [
      { directResponse: { status: 200, body: { bytes: "not base64" } } },
      ["error .directResponse.body.bytes: must be base64"],
    ],
    [
      { directResponse: { status: 200, body: { string: "é".repeat(60_000) } } },
      ["warning .directResponse.body: is sent to every proxy"],
    ],
    [
      { directResponse: { status: 200, body: { string: "a".repeat(1_048_577) } } },
      ["error .directResponse.body: must have at most 1048576 bytes"],
    ],
  ])("%j, as its action, gives %j", (rule, starts) => {
    const text = JSON.stringify(rule).slice(0, 60);
    const found = issuesOf({ hosts: ["a"], http: [rule] });
    expect({ text, found }).toEqual({ text, found: starting(starts, "spec.http[0]") });
  });

  it.each<[object, readonly string[]]>([
    [{ timeout: "1.5s" }, []],
    [{ timeout: "0s" }, ["error .timeout: must be a duration of"]],
    [{ timeout: "1.0005s" }, ["error .timeout: must be a duration of"]],
    [{ timeout: "3000000h" }, ["error .timeout: must be a duration of"]],
    [{ rewrite: {} }, ['error .rewrite: must have at least one of "uri"']],
    [{ rewrite: { authority: "b" } }, []],
    [{ rewrite: { uriRegexRewrite: { match: "^/a/(.*)", rewrite: "/\\1" } } }, []],
    [
      { rewrite: { uri: "/", uriRegexRewrite: { match: "(?=a)" } } },
      [
        "error .rewrite.uriRegexRewrite: must not stand beside uri",
        "error .rewrite.uriRegexRewrite.rewrite: must not be empty",
        "error .rewrite.uriRegexRewrite.match: must be an RE2 regular expression",
      ],
    ],
    [
      { rewrite: { authority: "b" }, headers: { request: { set: { Host: "c", x: "d" } } } },
      ["error .headers.request.set[Host]: the host is set by spec.http[0].rewrite.authority"],
    ],
    [{ headers: { request: { set: { ":authority": "c" }, remove: ["x-y"] } } }, []],
    [
      {
        headers: {
          request: { set: { ":path": "/" }, remove: ["Host", ""] },
          response: { add: { host: "x", "a b": "%REQ(x" } },
        },
      },
      [
        'error .headers.request.set[:path]: must not be ":…" or "host"',
        'error .headers.request.remove[0]: must not be ":…" or "host"',
        "error .headers.request.remove[1]: must be a header name",
        'error .headers.response.add[host]: must not be ":…" or "host"',
        "error .headers.response.add[a b]: must be a header name",
        'error .headers.response.add[a b]: "%" must start a command operator',
      ],
    ],
    [{ retries: { attempts: 3, perTryTimeout: "2s", retryOn: "5xx,503,unavailable" } }, []],
    [
      { retries: { attempts: 3, perTryTimeout: "2s" } },
      ["warning .retries.perTryTimeout: ends slow tries, which are not repeated then"],
    ],
    [
      { retries: { attempts: 3, perTryTimeout: "2s", retryOn: "503,connect-failure" } },
      ["warning .retries.perTryTimeout: ends slow tries, which are not repeated then"],
    ],
    [{ retries: { attempts: 3, perTryTimeout: "2s", retryOn: "503,reset" } }, []],
    [
      { fault: { delay: { fixedDelay: "5s" } }, timeout: "1s" },
      ["warning .fault.delay: is over before the rule's timeout begins"],
    ],
    [
      { fault: { delay: { fixedDelay: "5s" } }, retries: { attempts: 1 } },
      ["warning .fault.delay: is over before the rule's retries begin"],
    ],
    [{ fault: { abort: { httpStatus: 404 } }, timeout: "1s" }, []],
    [{ retries: { attempts: 0 } }, []],
    [{ retries: { attempts: -1 } }, ["error .retries.attempts: must not be negative"]],
    [{ retries: { perTryTimeout: "2s" } }, ["error .retries.attempts: must be above 0 beside"]],
    [
      { retries: { attempts: 1, retryOn: "5xx, reset,999" } },
      [
        'error .retries.retryOn: must be conditions and status codes, with commas and no spaces: got " reset", did you mean "reset"?',
        "error .retries.retryOn: must be conditions",
      ],
    ],
    [{ fault: {} }, ['error .fault: must have at least one of "delay", "abort"']],
    [{ fault: { delay: { fixedDelay: "5s", percentage: { value: 0.1 } } } }, []],
    [
      { fault: { delay: { percent: 101, exponentialDelay: "1s" } } },
      [
        "error .fault.delay.percent: must be between 0 and 100",
        "warning .fault.delay.percent: is deprecated",
        "error .fault.delay.exponentialDelay: is not supported",
      ],
    ],
    [
      { fault: { delay: { fixedDelay: "1s", exponentialDelay: "1s" } } },
      ['error .fault.delay: may have only one of "fixedDelay", "exponentialDelay"'],
    ],
    [
      { fault: { delay: { percentage: { value: 0.000_01 } }, abort: {} } },
      [
        "error .fault.delay.percentage.value: must be 0, or between 0.0001 and 100",
        "warning .fault.delay: has no effect: there is no fixedDelay",
        "warning .fault.abort: has no effect: there is neither",
      ],
    ],
    [{ fault: { abort: { grpcStatus: "NOT_FOUND", percentage: { value: 100 } } } }, []],
    [
      { fault: { abort: { grpcStatus: "NOTFOUND", percentage: { value: 101 } } } },
      [
        "error .fault.abort.percentage.value: must be 0, or between",
        'error .fault.abort.grpcStatus: must be a status code of gRPC: got "NOTFOUND", did you mean "NOT_FOUND"?',
      ],
    ],
    [{ fault: { abort: { httpStatus: 99 } } }, ["error .fault.abort.httpStatus: must be between"]],
    [
      { fault: { abort: { http2Error: "x" } } },
      ["error .fault.abort.http2Error: is not supported"],
    ],
    [{ mirror: { host: "b" }, mirrorPercentage: { value: 12.5 } }, []],
    [
      { mirror: { host: "*" }, mirrors: [{ destination: { host: "b", port: { number: 0 } } }] },
      [
        'error .mirror.host: must name a service: got "*"',
        "error .mirrors: must not stand beside mirror",
        "error .mirrors[0].destination.port.number: must be between 1 and 65535: got 0",
      ],
    ],
    [
      {
        mirrorPercent: 101,
        mirrorPercentage: { value: -1 },
        mirrors: [{ destination: { host: "b" }, percentage: { value: 101 } }],
      },
      [
        "error .mirrorPercent: must be between 0 and 100",
        "warning .mirrorPercent: is deprecated",
        "error .mirrorPercentage.value: must be between 0 and 100",
        "error .mirrors[0].percentage.value: must be between 0 and 100",
      ],
    ],
    [{ mirror_percent: 50 }, ["warning .mirror_percent: is deprecated"]],
    [
      {
        corsPolicy: {
          allowOrigin: ["*"],
          allowOrigins: [{ regex: ".*" }, {}, { exact: "" }, { regex: "(" }],
          allowMethods: ["GET", "*", "get"],
          allowHeaders: ["*", "a b"],
          exposeHeaders: [""],
          maxAge: "1500ms",
        },
      },
      [
        "error .corsPolicy.allowOrigins[1]: must have exactly one of",
        "error .corsPolicy.allowOrigins[2]: must have exactly one of",
        "error .corsPolicy.allowOrigins[3].regex: must be an RE2",
        "error .corsPolicy.allowMethods[2]: must be one of GET",
        'error .corsPolicy.allowHeaders[1]: must be a header name or "*"',
        'error .corsPolicy.exposeHeaders[0]: must be a header name or "*"',
        "error .corsPolicy.maxAge: must be whole seconds",
      ],
    ],
    [
      { corsPolicy: { unmatchedPreflights: "FORWRD" } },
      ["error .corsPolicy.unmatchedPreflights: "],
    ],
  ])("%j, beside a route, gives %j", (rule, starts) => {
    const found = issuesOf({ hosts: ["a"], http: [{ route: ROUTE, ...rule }] });
    expect(found).toEqual(starting(starts, "spec.http[0]"));
  });

  it.each<[object, readonly string[]]>([
    [
      { destination: { host: "b", subset: "v_1" } },
      ["error .destination.subset: must be a DNS label"],
    ],
    [{ destination: { host: "b", subset: "V1", port: { number: 80 } } }, []],
    [{ destination: { host: "10.0.0.1" } }, ["error .destination.host: must be a host name"]],
    [{ destination: { host: "b", port: {} } }, ["error .destination.port.number: is required"]],
    [
      { destination: { host: "b" }, headers: { response: { remove: [":x"] } } },
      ['error .headers.response.remove[0]: must not be ":…" or "host"'],
    ],
  ])("%j, as a destination, gives %j", (destination, starts) => {
    const found = issuesOf({ hosts: ["a"], http: [{ route: [destination] }] });
    expect(found).toEqual(starting(starts, "spec.http[0].route[0]"));
  });
});

describe("http matches", () => {
  it.each<[object, readonly string[]]>([
    [{ uri: { prefix: "" } }, []],
    [{ method: { prefix: "" } }, ["error .method.prefix: must not be empty"]],
    [{ authority: { regex: "" } }, ["error .authority.regex: must be an RE2"]],
    [{ headers: { ":method": { exact: "GET" }, "x-y": {} } }, []],
    [
      { headers: { "@request.auth.claims.group": {} } },
      ["error .headers[@request.auth.claims.group]: is not"],
    ],
    [
      { headers: { "@request.auth": {} } },
      ["error .headers[@request.auth]: must be a header name"],
    ],
    [{ headers: { x: null } }, ["error .headers[x]: must be an object: got null"]],
    [{ headers: { x: { regex: "*" } } }, ["error .headers[x].regex: must be an RE2"]],
    [{ withoutHeaders: { x: { regex: "*" } } }, []],
    [{ queryParams: { "": {} } }, ["error .queryParams[]: the name of a parameter"]],
    [{ port: 0 }, []],
    [{ port: 70_000 }, ["error .port: must be between 1 and 65535"]],
    [{ sourceLabels: { "a b": "c" } }, ["error .sourceLabels: must be a label key"]],
    [{ sourceNamespace: "a b" }, ["error .sourceNamespace: must be the name of a namespace"]],
    [{ gateways: ["a b"] }, ["error .gateways[0]: must be a host name"]],
    [{ statPrefix: "x", ignoreUriCase: true, name: "n", uri: { exact: "/" } }, []],
  ])("%j gives %j", (match, starts) => {
    const found = issuesOf({ hosts: ["a"], http: [{ match: [match], route: ROUTE }] });
    expect(found).toEqual(starting(starts, "spec.http[0].match[0]"));
  });
});

describe("tls and tcp rules", () => {
  it.each<[object, readonly string[]]>([
    [{ tls: [{ match: [{ sniHosts: ["x.a"], port: 443 }], route: ROUTE }] }, []],
    [
      { tls: [{ match: [], route: [] }] },
      [
        "error spec.tls[0].match: must have at least one entry",
        "error spec.tls[0].route: must have at least one destination",
      ],
    ],
    [
      { tls: [{ match: [{ sniHosts: [] }], route: ROUTE }] },
      ["error spec.tls[0].match[0].sniHosts: must have at least one host"],
    ],
    [
      { tls: [{ match: [{ sniHosts: ["b", "*.a"] }], route: ROUTE }] },
      ['error spec.tls[0].match[0].sniHosts[0]: must be within one of spec.hosts (*.a): got "b"'],
    ],
    [
      { tls: [{ match: [{ sniHosts: ["1.1.1.1"] }], route: ROUTE }] },
      ["warning spec.tls[0].match[0].sniHosts[0]: is an IP address"],
    ],
    [
      { gateways: ["mesh"], tls: [{ match: [{ sniHosts: ["outbound_.1_._.x"] }], route: ROUTE }] },
      ["error spec.tls[0].match[0].sniHosts[0]: must be a host name"],
    ],
    [{ tcp: [{ route: ROUTE }] }, []],
    [
      {
        tcp: [
          {
            match: [
              {
                destinationSubnets: ["10.0.0.0/8", "fd00::/8", "1.2.3.4", "10.0.0.0/33", "x"],
                port: 70_000,
                sourceLabels: { a: "b c" },
                gateways: ["a b"],
              },
            ],
            route: [
              { destination: { host: "b" }, weight: 0 },
              { destination: { host: "c" }, weight: 0 },
            ],
          },
        ],
      },
      [
        "error spec.tcp[0].match[0].destinationSubnets[3]: must be an IP address or a range",
        "error spec.tcp[0].match[0].destinationSubnets[4]: must be an IP address or a range",
        "error spec.tcp[0].match[0].port: must be between 1 and 65535",
        "error spec.tcp[0].match[0].sourceLabels[a]: must be a label value",
        "error spec.tcp[0].match[0].gateways[0]: must be a host name",
        "error spec.tcp[0].route: the weights of several destinations must not all be 0",
      ],
    ],
    [
      { tcp: [{ match: [{ sourceSubnet: "10.0.0.0/8" }], route: ROUTE }] },
      ["warning spec.tcp[0].match[0].sourceSubnet: has no effect"],
    ],
  ])("%j gives %j", (spec, starts) => {
    expect(issuesOf({ hosts: ["*.a"], ...spec })).toEqual(starting(starts));
  });
});

describe("rules that are never used", () => {
  const api = { uri: { prefix: "/api" } };
  it.each<[readonly object[], readonly string[]]>([
    [[{ match: [api] }, { match: [{ uri: { prefix: "/b" } }] }, {}], []],
    [
      [{}, { match: [api] }, {}],
      [
        "warning spec.http[1]: is never used: spec.http[0] takes",
        "warning spec.http[2]: is never used: spec.http[0] takes",
      ],
    ],
    [
      [{ match: [{ ...api, name: "x" }] }, { match: [api, { uri: { exact: "/x" } }] }],
      ["warning spec.http[1].match[0]: is never used: spec.http[0].match[0] takes"],
    ],
    [
      [{ match: [api] }, { match: [{ uri: { prefix: "/api/v2" } }] }],
      ["warning spec.http[1].match[0]: is never used: spec.http[0].match[0] takes"],
    ],
    [
      [{ match: [api] }, { match: [{ uri: { exact: "/api/x" } }] }],
      ["warning spec.http[1].match[0]: is never used: spec.http[0].match[0] takes"],
    ],
    [[{ match: [{ ...api, port: 80 }] }, { match: [{ uri: { prefix: "/api/v2" } }] }], []],
    [
      [
        { match: [{ headers: { uri: { exact: "a" } } }] },
        { match: [{ headers: { uri: { exact: "b" }, name: {} } }] },
      ],
      [],
    ],
    [
      [
        { match: [{ headers: { a: { exact: "a" }, b: {} } }] },
        { match: [{ headers: { b: {}, a: { exact: "a" } } }] },
      ],
      ["warning spec.http[1].match[0]: is never used"],
    ],
    [[{ delegate: { name: "x" } }, {}], []],
  ])("%j gives %j", (rules, starts) => {
    const http = rules.map((rule) => ("delegate" in rule ? rule : { route: ROUTE, ...rule }));
    expect(issuesOf({ hosts: ["a"], http })).toEqual(starting(starts));
  });

  it("are found among ten thousand in a moment", () => {
    const http = Array.from({ length: 10_000 }, (_, at) => ({
      match: [{ uri: { prefix: `/${at}/${"x".repeat(at % 50)}` } }],
      route: ROUTE,
    }));
    const hosts = Array.from({ length: 10_000 }, (_, at) => `h${at}.example.com`);
    const again = [...http, { match: [{ uri: { exact: `/7/${"x".repeat(9)}` } }], route: ROUTE }];
    expect(issuesOf({ hosts, http: again })).toEqual(
      starting(["warning spec.http[10000].match[0]: is never used: spec.http[7].match[0] takes"]),
    );
  });
});
