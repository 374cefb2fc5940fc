import { describe, expect, test } from "vitest";
import type { DestinationRule as DestinationRuleObject } from "../config/destination-rule.ts";
import { buildDestinationRule, findRule, indexRules, policyOf } from "./destination-rule.ts";
import type { Labels } from "./labels.ts";
import { compareAge } from "./origin.ts";
import type { Service } from "./service.ts";

const REVIEWS = "reviews.default.svc.cluster.local";

interface RuleText {
  readonly namespace?: string;
  readonly name?: string;
  readonly age?: number;
  readonly spec: Partial<DestinationRuleObject["spec"]>;
}

/** Rules with ages in the order of the list, the oldest first. */
function indexOf(texts: readonly RuleText[], exportToDefault: readonly string[] = ["*"]) {
  const objects = texts.map(
    ({ namespace = "default", name, spec }, at): DestinationRuleObject => ({
      apiVersion: "networking.istio.io/v1",
      kind: "DestinationRule",
      metadata: {
        name: name ?? `rule-${at}`,
        namespace,
        creationTimestamp: `2026-01-01T00:00:${String(at).padStart(2, "0")}Z`,
      },
      spec: { host: REVIEWS, ...spec },
    }),
  );
  const rules = objects
    .sort(compareAge)
    .map((object) => buildDestinationRule(object, exportToDefault));
  return indexRules(rules, "istio-system");
}

function service(hostname = REVIEWS, namespace = "default"): Service {
  return { hostname, namespace } as Service;
}

/** Names of the rules that a client uses. */
function found(
  texts: readonly RuleText[],
  client: string,
  { labels = {}, exportTo = ["*"] }: { labels?: Labels; exportTo?: readonly string[] } = {},
): readonly string[] {
  const rule = findRule(indexOf(texts, exportTo), service(), client, labels);
  return (rule?.rules ?? []).map(({ key }) => key.name);
}

const OF_CLIENT = { namespace: "client", name: "of-client", spec: {} };
const OF_SERVICE = { namespace: "default", name: "of-service", spec: {} };
const OF_ROOT = { namespace: "istio-system", name: "of-root", spec: {} };

describe("findRule(): where it looks", () => {
  test("the client's namespace comes first", () => {
    expect(found([OF_ROOT, OF_SERVICE, OF_CLIENT], "client")).toEqual(["of-client"]);
  });

  test("then the service's namespace", () => {
    expect(found([OF_ROOT, OF_SERVICE, OF_CLIENT], "other")).toEqual(["of-service"]);
  });

  test("then the root namespace", () => {
    expect(found([OF_ROOT, OF_CLIENT], "other")).toEqual(["of-root"]);
  });

  test("the root namespace's rules for everybody do not come first for its own clients", () => {
    expect(found([OF_ROOT, OF_SERVICE], "istio-system")).toEqual(["of-service"]);
  });

  test("the root namespace's rules for itself come first for its own clients", () => {
    const own = { ...OF_ROOT, spec: { exportTo: ["."] } };
    expect(found([own, OF_SERVICE], "istio-system")).toEqual(["of-root"]);
    expect(found([own, OF_SERVICE], "other")).toEqual(["of-service"]);
  });

  test("a rule that is not exported to the client is as if it were not there", () => {
    const kept = { ...OF_SERVICE, spec: { exportTo: ["."] } };
    expect(found([kept, OF_ROOT], "other")).toEqual(["of-root"]);
    expect(found([kept, OF_ROOT], "default")).toEqual(["of-service"]);
  });

  test("the mesh's default stands where exportTo is absent", () => {
    expect(found([OF_SERVICE], "other", { exportTo: ["."] })).toEqual([]);
    expect(found([OF_SERVICE], "default", { exportTo: ["."] })).toEqual(["of-service"]);
  });

  test("exportTo may name namespaces, and nobody", () => {
    expect(found([{ ...OF_SERVICE, spec: { exportTo: ["a", "b"] } }], "b")).toEqual(["of-service"]);
    expect(found([{ ...OF_SERVICE, spec: { exportTo: ["a", "b"] } }], "c")).toEqual([]);
    expect(found([{ ...OF_SERVICE, spec: { exportTo: ["~"] } }], "default")).toEqual([]);
  });

  test.each([
    [["*", "*.svc.cluster.local", "*.default.svc.cluster.local"], "rule-2"],
    [["*.default.svc.cluster.local", "*"], "rule-0"],
    [["*.default.svc.cluster.local", REVIEWS], "rule-1"],
    [["*.example.com", "*"], "rule-1"],
  ])("of the hosts %j the narrowest counts: %s", (hosts, name) => {
    expect(
      found(
        hosts.map((host) => ({ spec: { host } })),
        "default",
      ),
    ).toEqual([name]);
  });

  test("a narrower host in the service's namespace does not beat the client's namespace", () => {
    const wide = { ...OF_CLIENT, spec: { host: "*" } };
    expect(found([OF_SERVICE, wide], "client")).toEqual(["of-client"]);
  });
});

describe("findRule(): workloadSelector", () => {
  const forAll = { name: "for-all", spec: {} };
  const forApp = { name: "for-app", spec: { workloadSelector: { matchLabels: { app: "a" } } } };

  test("a rule that selects the client comes before an older one for all", () => {
    expect(found([forAll, forApp], "default", { labels: { app: "a" } })).toEqual(["for-app"]);
  });

  test("a rule that selects others is as if it were not there", () => {
    expect(found([forAll, forApp], "default", { labels: { app: "b" } })).toEqual(["for-all"]);
    expect(found([forApp, OF_ROOT], "default")).toEqual(["of-root"]);
  });

  test("it is for its own namespace alone, whatever exportTo says", () => {
    const exported = { ...forApp, spec: { ...forApp.spec, exportTo: ["*"] } };
    expect(found([exported], "client", { labels: { app: "a" } })).toEqual([]);
  });

  test("rules that select the same workloads are merged, others are not", () => {
    const again = { ...forApp, name: "again" };
    const other = { name: "other", spec: { workloadSelector: { matchLabels: { tier: "1" } } } };
    const labels = { app: "a", tier: "1" };
    expect(found([forApp, other, again, forAll], "default", { labels })).toEqual([
      "for-app",
      "again",
    ]);
  });
});

describe("mergeRules()", () => {
  const subset = (name: string, version: string) => ({ name, labels: { version } });

  test("subsets of several rules for one host add up", () => {
    const rule = findRule(
      indexOf([
        { spec: { subsets: [subset("v1", "v1")] } },
        { spec: { subsets: [subset("v2", "v2")] } },
      ]),
      service(),
      "default",
    );
    expect(rule?.subsets.map(({ name, origin }) => [name, origin.key.name])).toEqual([
      ["v1", "rule-0"],
      ["v2", "rule-1"],
    ]);
  });

  test("of two subsets with one name the older rule's stays", () => {
    const rule = findRule(
      indexOf([
        { spec: { subsets: [subset("v1", "older")] } },
        { spec: { subsets: [subset("v1", "younger")] } },
      ]),
      service(),
      "default",
    );
    expect(rule?.subsets.map(({ labels }) => labels)).toEqual([{ version: "older" }]);
  });

  test("the first rule that has a policy gives it, whole", () => {
    const index = indexOf([
      { spec: { subsets: [subset("v1", "v1")] } },
      { spec: { trafficPolicy: { loadBalancer: { simple: "RANDOM" } } } },
      { spec: { trafficPolicy: { outlierDetection: {} } } },
    ]);
    const policy = policyOf(findRule(index, service(), "default"), 80, "");
    expect(policy).toMatchObject({ loadBalancer: "RANDOM", outlierDetection: undefined });
  });

  test("rules that are exported to others are not merged; the oldest that is seen counts", () => {
    const texts = [
      { name: "private", spec: { exportTo: ["."] } },
      { name: "public", spec: {} },
      { name: "public-too", spec: { exportTo: ["*"] } },
    ];
    expect(found(texts, "default")).toEqual(["private"]);
    expect(found(texts, "client")).toEqual(["public", "public-too"]);
  });
});

describe("policyOf()", () => {
  const ruleOf = (spec: RuleText["spec"]) => findRule(indexOf([{ spec }]), service(), "default");
  const trafficPolicy = {
    loadBalancer: { simple: "RANDOM" },
    connectionPool: { tcp: { maxConnections: 7 } },
    tunnel: { targetHost: "example.com", targetPort: 443 },
    proxyProtocol: { version: "V2" },
    portLevelSettings: [{ port: { number: 81 }, loadBalancer: { simple: "ROUND_ROBIN" } }],
  } as const;

  test("a section of a subset replaces the rule's as a whole, the others stay", () => {
    const rule = ruleOf({
      trafficPolicy,
      subsets: [{ name: "v1", trafficPolicy: { connectionPool: { http: { maxRetries: 3 } } } }],
    });
    const { loadBalancer, connectionPool } = policyOf(rule, 80, "v1");
    expect(loadBalancer).toBe("RANDOM");
    expect(connectionPool).toMatchObject({ maxConnections: undefined, maxRetries: 3 });
  });

  test("port-level settings do not inherit from the destination's", () => {
    const policy = policyOf(ruleOf({ trafficPolicy }), 81, "");
    expect(policy.loadBalancer).toBe("ROUND_ROBIN");
    expect(policy.connectionPool.maxConnections).toBeUndefined();
    expect(policy.proxyProtocol).toBeUndefined();
  });

  test("other ports have the destination's", () => {
    expect(policyOf(ruleOf({ trafficPolicy }), 80, "")).toMatchObject({
      loadBalancer: "RANDOM",
      proxyProtocol: "V2",
    });
  });

  test("a tunnel is for all ports, since no port can have one", () => {
    expect(policyOf(ruleOf({ trafficPolicy }), 81, "").tunnel).toEqual({
      targetHost: "example.com",
      targetPort: 443,
      method: "CONNECT",
    });
  });

  test("a subset's section comes before the rule's for the same port", () => {
    const rule = ruleOf({
      trafficPolicy,
      subsets: [{ name: "v1", trafficPolicy: { loadBalancer: { simple: "LEAST_REQUEST" } } }],
    });
    expect(policyOf(rule, 81, "v1").loadBalancer).toBe("LEAST_REQUEST");
  });

  test("a subset's port-level settings come before all", () => {
    const rule = ruleOf({
      trafficPolicy,
      subsets: [
        {
          name: "v1",
          trafficPolicy: {
            loadBalancer: { simple: "LEAST_REQUEST" },
            portLevelSettings: [{ port: { number: 81 }, outlierDetection: {} }],
          },
        },
      ],
    });
    const { loadBalancer, outlierDetection } = policyOf(rule, 81, "v1");
    expect(loadBalancer).toBe("LEAST_REQUEST");
    expect(outlierDetection).toBeDefined();
  });

  test("an unknown subset has the whole rule's policy", () => {
    expect(policyOf(ruleOf({ trafficPolicy }), 80, "v9").loadBalancer).toBe("RANDOM");
  });

  test("what is said alike of several ports is the same value", () => {
    const rule = ruleOf({ trafficPolicy });
    expect(policyOf(rule, 80, "")).toBe(policyOf(rule, 443, ""));
    expect(policyOf(rule, 81, "")).not.toBe(policyOf(rule, 80, ""));
  });

  test.each([
    [{ httpHeaderName: "x-user" }, { type: "header", name: "x-user" }],
    [{ useSourceIp: true }, { type: "source-ip" }],
    [{ useSourceIp: false }, undefined],
    [{ httpQueryParameterName: "id" }, { type: "query-parameter", name: "id" }],
    [
      { httpCookie: { name: "c", path: "/p", ttl: "0s", attributes: [{ name: "Secure" }] } },
      {
        type: "cookie",
        name: "c",
        path: "/p",
        ttlMs: 0,
        attributes: [{ name: "Secure", value: "" }],
      },
    ],
    [
      { httpCookie: { name: "c" } },
      { type: "cookie", name: "c", path: "", ttlMs: undefined, attributes: [] },
    ],
  ])("consistentHash %j hashes %j", (consistentHash, hashKey) => {
    const rule = ruleOf({ trafficPolicy: { loadBalancer: { consistentHash } } });
    expect(policyOf(rule, 80, "")).toMatchObject({ loadBalancer: "RING_HASH" });
    expect(policyOf(rule, 80, "").hashKey).toEqual(hashKey);
  });

  test.each([
    [{}, "RING_HASH", 1024],
    [{ minimumRingSize: 9 }, "RING_HASH", 9],
    [{ ringHash: {} }, "RING_HASH", undefined],
    [{ ringHash: { minimumRingSize: 5 } }, "RING_HASH", 5],
    [{ maglev: {} }, "MAGLEV", undefined],
    [{ maglev: { tableSize: 101 } }, "MAGLEV", 101],
  ])("consistentHash %j is %s of size %s", (consistentHash, loadBalancer, hashTableSize) => {
    const rule = ruleOf({ trafficPolicy: { loadBalancer: { consistentHash } } });
    expect(policyOf(rule, 80, "")).toMatchObject({ loadBalancer, hashTableSize });
  });
});
