import { describe, expect, test } from "vitest";
import { formatIssue } from "../base/issue.ts";
import type { HttpRoute } from "../config/http-route.ts";
import type { VirtualService as VirtualServiceObject } from "../config/virtual-service.ts";
import { buildVirtualService, indexVirtualServices } from "./build-virtual-service.ts";

type Spec = VirtualServiceObject["spec"];

function object(
  name: string,
  spec: Spec,
  metadata: { namespace?: string; annotations?: Record<string, string> } = {},
): VirtualServiceObject {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name, namespace: "default", ...metadata },
    spec,
  };
}

const to = (host: string, more: object = {}) => ({ destination: { host, ...more } });
const ROUTE: HttpRoute = { route: [to("a")] };

function build(spec: Spec, ...others: readonly VirtualServiceObject[]) {
  return buildVirtualService(object("vs", spec), { others: indexVirtualServices(others) });
}

/** What becomes of one rule: its issues, and whether it is there. */
function outcome(rule: HttpRoute): { readonly issues: readonly string[]; readonly count: number } {
  const { rules, issues } = build({ hosts: ["a"], http: [rule] });
  return { issues: issues.map(formatIssue), count: rules.length };
}

describe("buildVirtualService()", () => {
  test("writes names in full: short ones mean the object's own namespace", () => {
    const { hosts, gateways, rules } = build({
      hosts: ["a", "b.example.com"],
      gateways: ["mesh", "own", "other/their", "./dot", "old.elsewhere.svc.cluster.local"],
      http: [{ ...ROUTE, match: [{ gateways: ["own"] }] }],
    });
    expect(hosts).toEqual(["a.default.svc.cluster.local", "b.example.com"]);
    expect(gateways).toEqual([
      "mesh",
      "default/own",
      "other/their",
      "default/dot",
      "elsewhere/old",
    ]);
    expect(rules[0]?.matches[0]?.gateways).toEqual(["default/own"]);
    expect(rules[0]?.destinations[0]?.host).toBe("a.default.svc.cluster.local");
  });

  test("is for the mesh where no gateway is named", () => {
    expect(build({ hosts: ["a"], http: [ROUTE] }).gateways).toEqual(["mesh"]);
  });

  test("is seen by whom exportTo says, else by whom the mesh says", () => {
    const seenBy = (exportTo: string[] | undefined, mesh?: string[]) =>
      buildVirtualService(
        object("vs", { hosts: ["a"], ...(exportTo && { exportTo }) }),
        mesh && { exportTo: mesh },
      ).visibility;
    expect(seenBy(undefined)).toBe("all");
    expect(seenBy(undefined, ["."])).toEqual(new Set(["default"]));
    expect(seenBy([".", "other"], ["*"])).toEqual(new Set(["default", "other"]));
  });

  test("is the same value for the same objects", () => {
    const root = object("vs", { hosts: ["a"], http: [{ delegate: { name: "d" } }] });
    const delegate = object("d", { http: [ROUTE] });
    const others = indexVirtualServices([delegate]);
    const more = indexVirtualServices([delegate, object("else", { hosts: ["x"] })]);
    const first = buildVirtualService(root, { others });
    expect(buildVirtualService(root, { others: more })).toBe(first);
    const changed = indexVirtualServices([object("d", { http: [ROUTE, ROUTE] })]);
    expect(buildVirtualService(root, { others: changed })).not.toBe(first);
  });
});

describe("weights", () => {
  const weights = (...all: readonly (number | undefined)[]) => {
    const route = all.map((weight, at) => ({
      ...to(`h${at}.com`),
      ...(weight !== undefined && { weight }),
    }));
    const [rule] = build({ hosts: ["a"], http: [{ route }] }).rules;
    return rule?.destinations.map(({ host, weight }) => `${host} ${weight}`);
  };

  test.each([
    ["one destination gets everything, whatever its weight", [0], ["h0.com 0"]],
    ["one without a weight gets everything", [undefined], ["h0.com 0"]],
    ["of several, weight 0 gets nothing", [50, 0, 50], ["h0.com 50", "h2.com 50"]],
    ["of several, one without a weight gets nothing", [50, undefined], ["h0.com 50"]],
    ["weights need not add up to 100", [1, 2], ["h0.com 1", "h1.com 2"]],
    ["without any weight above 0 the rule is left out", [0, 0], undefined],
    ["more than a proxy can add up: the rule is left out", [4_294_967_295, 1], undefined],
  ] as const)("%s", (_, given, want) => {
    expect(weights(...given)).toEqual(want);
  });
});

describe("a rule that a proxy would refuse is left out alone", () => {
  const group = "(".repeat(3);
  test.each<[string, HttpRoute, string]>([
    [
      "a regular expression that RE2 refuses",
      { ...ROUTE, match: [{ uri: { regex: "(?=a)" } }] },
      'spec.http[0].match[0].uri.regex: must be an RE2 regular expression: got "(?=a)" (lookaround (?= is not part of it)',
    ],
    [
      "a claim",
      { ...ROUTE, match: [{ headers: { "@request.auth.claims.sub": { exact: "x" } } }] },
      "spec.http[0].match[0].headers[@request.auth.claims.sub]: claims of tokens cannot be matched yet: match a header that the app sets",
    ],
    [
      "a parameter without a name",
      { ...ROUTE, match: [{ queryParams: { "": { exact: "x" } } }] },
      "spec.http[0].match[0].queryParams[]: must have a name",
    ],
    [
      "a header that is no header",
      { ...ROUTE, headers: { request: { set: { "a b": "1" } } } },
      'spec.http[0].headers.request.set[a b]: "a b" is not a header name',
    ],
    [
      "a percent sign that begins nothing",
      { ...ROUTE, headers: { response: { add: { cache: "100%" } } } },
      'spec.http[0].headers.response.add[cache]: "%" must start a command operator like %REQ(name)% or be written "%%": got "100%"',
    ],
    [
      "an expression to rewrite by that is none",
      { ...ROUTE, rewrite: { uriRegexRewrite: { match: group, rewrite: "x" } } },
      'spec.http[0].rewrite.uriRegexRewrite.match: must be an RE2 regular expression: got "(((" (a ( is not closed)',
    ],
    [
      "a status that is none",
      { directResponse: { status: 99 } },
      "spec.http[0].directResponse.status: 99 cannot be answered",
    ],
    [
      "an answer that is too long",
      { directResponse: { status: 200, body: { string: "x".repeat(1024 * 1024 + 1) } } },
      "spec.http[0].directResponse.body: must have at most 1048576 bytes: got 1048577",
    ],
    [
      "an origin that RE2 refuses",
      { ...ROUTE, corsPolicy: { allowOrigins: [{ regex: "[" }] } },
      'spec.http[0].corsPolicy.allowOrigins[0].regex: must be an RE2 regular expression: got "[" (a [ is not closed)',
    ],
    ["no destination", {}, "spec.http[0].route: there is no destination: the rule is left out"],
  ])("%s", (_, rule, issue) => {
    expect(outcome(rule)).toEqual({ issues: [issue], count: 0 });
    const { rules } = build({ hosts: ["a"], http: [rule, ROUTE] });
    expect(rules.map(({ path }) => path)).toEqual(["spec.http[1]"]);
  });

  test("of several alternatives only the one that is wrong", () => {
    const match = [{ uri: { regex: "(" } }, { uri: { prefix: "/b" } }];
    const { rules } = build({ hosts: ["a"], http: [{ ...ROUTE, match }] });
    expect(rules[0]?.matches.map(({ path }) => path)).toEqual(["spec.http[0].match[1]"]);
  });

  test.each([
    ["\\2", "there is no group \\2, the expression has 1: paths are left as they are"],
    ["\\x", '"\\x" is neither a group nor a backslash (\\\\): paths are left as they are'],
    ["\\\\\\1\\0", undefined],
  ])(
    "a replacement %s is taken, with a warning where it cannot replace anything",
    (rewrite, issue) => {
      const rule = { ...ROUTE, rewrite: { uriRegexRewrite: { match: "^/([a(]+)\\(", rewrite } } };
      const path = "spec.http[0].rewrite.uriRegexRewrite.rewrite";
      const issues = issue === undefined ? [] : [`${path}: ${issue}`];
      expect(outcome(rule)).toEqual({ issues, count: 1 });
    },
  );

  test("faults that cannot be made are left out of the rule", () => {
    const rule = {
      ...ROUTE,
      fault: { abort: { http2Error: "x" }, delay: { exponentialDelay: "1s" } },
    };
    expect(outcome(rule)).toEqual({
      issues: [
        "spec.http[0].fault.delay.exponentialDelay: has no effect, as in Istio: use fixedDelay",
        "spec.http[0].fault.abort.http2Error: has no effect, as in Istio: use httpStatus or grpcStatus",
      ],
      count: 1,
    });
  });
});

describe("one rule", () => {
  const rule = (written: HttpRoute) => build({ hosts: ["a"], http: [written] }).rules[0];

  test("a host that headers set is a rewrite; the rule's own comes first", () => {
    const set = { Host: "h.example.com" };
    const add = { ":authority": "added.example.com" };
    const rewrite = (written: HttpRoute) => {
      const action = rule(written)?.action;
      return action?.type === "forward" ? action.rewrite.authority : undefined;
    };
    expect(rewrite({ ...ROUTE, headers: { request: { set, add } } })).toBe("h.example.com");
    expect(rewrite({ ...ROUTE, headers: { request: { add } } })).toBe("added.example.com");
    expect(
      rewrite({ ...ROUTE, headers: { request: { set } }, rewrite: { authority: "r.example.com" } }),
    ).toBe("r.example.com");
    expect(rule({ ...ROUTE, headers: { request: { set } } })?.requestHeaders.write).toEqual([]);
  });

  test("headers are set before they are added, each by name", () => {
    const headers = {
      request: { add: { "X-B": "1", a: "2" }, set: { z: "3", y: "4" }, remove: ["Gone", ":path"] },
    };
    const { write, remove } = rule({ ...ROUTE, headers })?.requestHeaders ?? {};
    expect(write?.map(({ name, isAdded }) => `${isAdded ? "+" : "="}${name}`)).toEqual([
      "=y",
      "=z",
      "+a",
      "+x-b",
    ]);
    expect(remove).toEqual(["gone"]);
  });

  test.each([
    [{}, { kind: undefined, status: 301 }],
    [
      { uri: "/x", redirectCode: 302 },
      { kind: "whole", status: 302 },
    ],
    [{ uri: "%PREFIX()%/x" }, { kind: "prefix", status: 301 }],
    [{ prefixRewrite: "/x" }, { kind: "prefix", status: 301 }],
    [{ redirectCode: 304 }, { kind: undefined, status: 301 }],
  ])("redirect %j", (redirect, want) => {
    const action = rule({ redirect })?.action;
    expect(
      action?.type === "redirect" && { kind: action.path?.kind, status: action.status },
    ).toEqual(want);
  });

  test.each([
    [{ percentage: { value: 0.1 } }, 1000],
    [{ percentage: { value: 100 } }, 1_000_000],
    [{ percent: 50 }, 500_000],
    [{ percent: 50, percentage: { value: 1 } }, 10_000],
    [{}, 0],
  ])("a delay of %j is for %i of a million", (parts, perMillion) => {
    const fault = { delay: { fixedDelay: "1s", ...parts } };
    expect(rule({ ...ROUTE, fault })?.fault?.delay).toEqual({ ms: 1000, perMillion });
  });

  test.each([
    [{ mirror: { host: "m" } }, [1_000_000]],
    [{ mirror: { host: "m" }, mirrorPercent: 5 }, [50_000]],
    [{ mirror: { host: "m" }, mirror_percent: 6 }, [60_000]],
    [{ mirror: { host: "m" }, mirrorPercent: 5, mirrorPercentage: { value: 0.5 } }, [5000]],
    [{ mirror: { host: "m" }, mirrorPercentage: {} }, []],
    [{ mirrors: [to("m"), { ...to("n"), percentage: { value: 10 } }] }, [1_000_000, 100_000]],
  ])("copies by %j", (parts, want) => {
    expect(rule({ ...ROUTE, ...parts })?.mirrors.map(({ perMillion }) => perMillion)).toEqual(want);
  });

  test("the older list of origins counts only without the newer", () => {
    const origins = (corsPolicy: HttpRoute["corsPolicy"]) =>
      rule({ ...ROUTE, ...(corsPolicy && { corsPolicy }) })?.cors?.allowOrigins;
    expect(origins({ allowOrigin: ["x"] })).toEqual([{ type: "exact", value: "x" }]);
    expect(origins({ allowOrigin: ["x"], allowOrigins: [{ prefix: "y" }] })).toEqual([
      { type: "prefix", value: "y" },
    ]);
  });

  test("a redirect counts before an answer, an answer before a route", () => {
    const directResponse = { status: 404 };
    expect(rule({ ...ROUTE, directResponse, redirect: { uri: "/" } })?.action.type).toBe(
      "redirect",
    );
    expect(rule({ ...ROUTE, directResponse })?.action.type).toBe("direct-response");
  });

  test("prefixes take whole segments where the object stands for an Ingress", () => {
    const annotations = { "internal.istio.io/route-semantics": "ingress" };
    const match = [{ uri: { prefix: "/a/" } }, { uri: { prefix: "/" } }];
    const spec = { hosts: ["a"], http: [{ ...ROUTE, match }] };
    const [built] = buildVirtualService(object("vs", spec, { annotations })).rules;
    expect(built?.matches.map(({ match: { path } }) => path)).toEqual([
      { type: "separated-prefix", value: "/a" },
      { type: "prefix", value: "/" },
    ]);
  });
});

describe("TLS and TCP rules", () => {
  test("are parsed with names in full; what has no effect is said", () => {
    const { tlsRules, tcpRules, issues } = build({
      hosts: ["a"],
      tls: [{ match: [{ sniHosts: ["A.example.com"], port: 443 }], route: [to("a")] }],
      tcp: [
        { match: [{ sourceSubnet: "10.0.0.0/8", gateways: ["own"], port: 0 }], route: [to("b")] },
        { route: [{ ...to("b"), weight: 0 }, to("c")] },
      ],
    });
    expect(tlsRules[0]?.matches[0]).toMatchObject({ sniHosts: ["a.example.com"], port: 443 });
    expect(tcpRules.map(({ path }) => path)).toEqual(["spec.tcp[0]"]);
    expect(tcpRules[0]?.matches[0]).toMatchObject({ gateways: ["default/own"], port: undefined });
    expect(issues.map(formatIssue)).toEqual([
      "spec.tcp[0].match[0].sourceSubnet: has no effect, as in Istio: use sourceLabels or sourceNamespace",
      "spec.tcp[1].route: no destination has a weight above 0: the rule is left out",
    ]);
  });
});
