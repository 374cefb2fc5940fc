import { describe, expect, test } from "vitest";
import { formatIssue } from "../../base/issue.ts";
import type { HttpMatch, HttpRoute } from "../../config/http-route.ts";
import type { VirtualService as VirtualServiceObject } from "../../config/virtual-service.ts";
import { buildVirtualService, indexVirtualServices } from "../build-virtual-service.ts";

function object(
  name: string,
  namespace: string,
  spec: VirtualServiceObject["spec"],
): VirtualServiceObject {
  const metadata = { name, namespace };
  return { apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata, spec };
}

const route = [{ destination: { host: "a.example.com" } }];

/** A root rule, and what becomes of the rules of its delegate `team/d`. */
function delegated(
  root: HttpRoute,
  rules: readonly HttpRoute[],
  spec: Partial<VirtualServiceObject["spec"]> = {},
) {
  const http = [{ ...root, delegate: { name: "d", namespace: "team" } }];
  const others = indexVirtualServices([object("d", "team", { http: rules, ...spec })]);
  const built = buildVirtualService(object("root", "default", { hosts: ["a"], http }), { others });
  return { rules: built.rules, issues: built.issues.map(formatIssue) };
}

describe("delegation", () => {
  test("rules of the delegate stand in the place of the rule that names it, in its order", () => {
    const others = indexVirtualServices([
      object("d", "default", {
        http: [
          { name: "one", route },
          { name: "two", route },
        ],
      }),
    ]);
    const http = [{ name: "before", route }, { delegate: { name: "d" } }, { name: "after", route }];
    const { rules } = buildVirtualService(object("root", "default", { hosts: ["a"], http }), {
      others,
    });
    expect(rules.map(({ name, delegatedAt }) => [name, delegatedAt])).toEqual([
      ["before", undefined],
      ["one", "spec.http[1]"],
      ["two", "spec.http[1]"],
      ["after", undefined],
    ]);
  });

  test("names are joined with a dash", () => {
    const name = (root: string, own: string) =>
      delegated({ name: root }, [{ name: own, route }]).rules[0]?.name;
    expect([name("r", "d"), name("r", ""), name("", "d")]).toEqual(["r-d", "r", "d"]);
  });

  test("the delegate's rule has from the root what it does not say itself", () => {
    const [rule] = delegated(
      {
        timeout: "5s",
        retries: { attempts: 7 },
        rewrite: { uri: "/root" },
        fault: { abort: { httpStatus: 500, percentage: { value: 1 } } },
        mirror: { host: "copy" },
        corsPolicy: { allowOrigin: ["*"] },
        headers: { request: { set: { x: "1" } } },
      },
      [{ route, timeout: "1s", rewrite: { authority: "own" } }],
    ).rules;
    expect(rule?.action).toMatchObject({
      timeoutMs: 1000,
      retries: { attempts: 7 },
      rewrite: { path: undefined, authority: "own" },
    });
    expect(rule?.fault?.abort).toBeDefined();
    expect(rule?.cors).toBeDefined();
    expect(rule?.requestHeaders.write).toHaveLength(1);
    // A short name means a service of the namespace that it is written in.
    expect(rule?.mirrors[0]?.destination.host).toBe("copy.default.svc.cluster.local");
  });

  test("short names of the delegate mean its own namespace", () => {
    const [rule] = delegated({}, [{ route: [{ destination: { host: "b" } }] }]).rules;
    expect(rule?.destinations[0]?.host).toBe("b.team.svc.cluster.local");
  });

  test("a delegate that the root's namespace may not see is left out", () => {
    expect(delegated({}, [{ route }], { exportTo: ["."] })).toEqual({
      rules: [],
      issues: [
        'spec.http[0].delegate: VirtualService/team/d is not exported to namespace "default": the rule is left out',
      ],
    });
    expect(delegated({}, [{ route }], { exportTo: ["default"] }).rules).toHaveLength(1);
  });

  test.each([
    ["that is not there", undefined, "there is no VirtualService/default/d"],
    [
      "with hosts",
      object("d", "default", { hosts: ["b"], http: [{ route }] }),
      "VirtualService/default/d has hosts: only one without hosts is a delegate",
    ],
  ])("a delegate %s is left out, and the other rules go on", (_, delegate, message) => {
    const http = [{ delegate: { name: "d" } }, { route }];
    const others = indexVirtualServices(delegate === undefined ? [] : [delegate]);
    const root = buildVirtualService(object("root", "default", { hosts: ["a"], http }), { others });
    expect(root.rules.map(({ path }) => path)).toEqual(["spec.http[1]"]);
    expect(root.issues.map(formatIssue)).toEqual([
      `spec.http[0].delegate: ${message}: the rule is left out`,
    ]);
  });

  test("a delegate cannot delegate further, so that there are no cycles", () => {
    const d = object("d", "default", { http: [{ delegate: { name: "d" } }, { route }] });
    const others = indexVirtualServices([d]);
    const http = [{ delegate: { name: "d" } }];
    const root = buildVirtualService(object("root", "default", { hosts: ["a"], http }), { others });
    expect(root.rules.map(({ path }) => path)).toEqual(["spec.http[1]"]);
    expect(buildVirtualService(d, { others }).issues.map(formatIssue)).toEqual([
      "spec.http[0].delegate: a VirtualService without hosts is a delegate, and cannot delegate further: the rule is left out",
    ]);
  });
});

describe("matches of a root and its delegate", () => {
  const merged = (root: readonly HttpMatch[], own: readonly HttpMatch[]) =>
    delegated({ match: root }, [{ route, match: own }]).rules[0]?.matches.map(
      ({ match: { path, headers }, name, port }) =>
        `${name} ${path.type} ${path.value} ${headers.map((one) => one.name).join(",")} ${port ?? ""}`.trim(),
    );
  const uri = (kind: "exact" | "prefix" | "regex", value: string): HttpMatch => ({
    uri: { [kind]: value },
  });

  test.each<[string, HttpMatch, HttpMatch, boolean]>([
    ["a longer prefix is within a prefix", uri("prefix", "/a"), uri("prefix", "/a/b"), true],
    ["a shorter prefix is not", uri("prefix", "/a/b"), uri("prefix", "/a"), false],
    ["an exact path is within a prefix", uri("prefix", "/a"), uri("exact", "/a/b"), true],
    ["another exact path is not", uri("prefix", "/a"), uri("exact", "/b"), false],
    ["the same exact path is", uri("exact", "/a"), uri("exact", "/a"), true],
    ["a prefix is not within an exact path", uri("exact", "/a"), uri("prefix", "/a"), false],
    ["a regular expression is within nothing", uri("prefix", "/"), uri("regex", "/.*"), false],
    ["nothing is within a regular expression", uri("regex", ".*"), uri("exact", "/a"), false],
    ["a regular expression beside nothing is kept", { port: 80 }, uri("regex", "/.*"), true],
    ["headers add up", { headers: { a: { exact: "1" } } }, { headers: { b: {} } }, true],
    [
      "one header with two values is a conflict",
      { headers: { a: { exact: "1" } } },
      { headers: { a: { exact: "2" } } },
      false,
    ],
    [
      "so is one that must be missing in two ways",
      { withoutHeaders: { a: { exact: "1" } } },
      { withoutHeaders: { a: { prefix: "1" } } },
      false,
    ],
    ["another port is a conflict", { port: 80 }, { port: 81 }, false],
    ["the same port is none", { port: 80 }, { port: 80 }, true],
    ["letter case must be treated alike", { ignoreUriCase: true }, uri("exact", "/a"), false],
    ["another namespace is a conflict", { sourceNamespace: "a" }, { sourceNamespace: "b" }, false],
    ["a root's namespace must be said again", { sourceNamespace: "a" }, { port: 1 }, false],
    ["labels add up", { sourceLabels: { a: "1" } }, { sourceLabels: { b: "2" } }, true],
    [
      "one label with two values",
      { sourceLabels: { a: "1" } },
      { sourceLabels: { a: "2" } },
      false,
    ],
    [
      "a gateway of the root's is within",
      { gateways: ["x/g", "mesh"] },
      { gateways: ["mesh"] },
      true,
    ],
    ["another gateway is not", { gateways: ["mesh"] }, { gateways: ["x/g"] }, false],
  ])("%s", (_, root, own, isMerged) => {
    const { rules, issues } = delegated({ match: [root] }, [{ route, match: [own] }]);
    expect(rules).toHaveLength(isMerged ? 1 : 0);
    expect(issues).toEqual(
      isMerged
        ? []
        : [
            "spec.http[0]: spec.http[0] of VirtualService/team/d asks for what this rule does not ask for (its matches must be within these; regular expressions never are): the delegate's rule is left out",
          ],
    );
  });

  test("every entry of the delegate is joined with every one of the root's that it is within", () => {
    expect(
      merged(
        [
          { name: "r1", ...uri("prefix", "/") },
          { name: "r2", headers: { h: {} } },
        ],
        [{ name: "d1", ...uri("prefix", "/a") }, uri("exact", "/b")],
      ),
    ).toEqual(["r1-d1 prefix /a", "r2-d1 prefix /a h", "r1 exact /b", "r2 exact /b h"]);
  });

  test("one entry that is within none makes the whole rule void", () => {
    expect(
      merged([uri("prefix", "/a")], [uri("prefix", "/a/b"), uri("prefix", "/c")]),
    ).toBeUndefined();
  });

  test("where one side has no entries, the other's count", () => {
    expect(merged([], [uri("prefix", "/a")])).toEqual(["prefix /a"]);
    expect(merged([{ ...uri("prefix", "/a"), port: 80 }], [])).toEqual(["prefix /a  80"]);
  });

  test("the delegate's gateways are named from its own namespace", () => {
    const root = { gateways: ["team/g"] };
    expect(
      delegated({ match: [root] }, [{ route, match: [{ gateways: ["g"] }] }]).rules,
    ).toHaveLength(1);
  });
});
