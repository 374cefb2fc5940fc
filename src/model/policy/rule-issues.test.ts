import { expect, test } from "vitest";
import type { DestinationRule as DestinationRuleObject } from "../../config/destination-rule.ts";
import { buildDestinationRule } from "../destination-rule.ts";
import type { Service } from "../service.ts";
import { ruleIssues } from "./rule-issues.ts";

type Spec = DestinationRuleObject["spec"];

function rule(name: string, spec: Partial<Spec>) {
  const object: DestinationRuleObject = {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name, namespace: "default" },
    spec: { host: "web", ...spec },
  };
  return buildDestinationRule(object, ["*"]);
}

const SERVICE = { ports: [{ number: 80 }, { number: 81 }] } as unknown as Service;

/** Where the issues of the last rule are. */
function paths(...specs: readonly Partial<Spec>[]): readonly string[] {
  const rules = specs.map((spec, at) => rule(`rule-${at}`, spec));
  const last = rules.at(-1);
  return last === undefined ? [] : ruleIssues(last, rules, [SERVICE]).map(({ path }) => path);
}

const random = { loadBalancer: { simple: "RANDOM" } } as const;

test("a policy is said to be overruled by an older rule's of the same audience", () => {
  expect(paths({ trafficPolicy: random }, { trafficPolicy: {} })).toEqual(["spec.trafficPolicy"]);
  expect(paths({ trafficPolicy: random, exportTo: ["."] }, { trafficPolicy: {} })).toEqual([]);
  expect(paths({ subsets: [] }, { trafficPolicy: {} })).toEqual([]);
});

test("a subset is said to be defined by an older rule", () => {
  const subsets = [{ name: "v1" }];
  expect(paths({ subsets }, { subsets: [{ name: "v2" }, ...subsets] })).toEqual([
    "spec.subsets[1].name",
  ]);
});

test("ports that no service of the host has are named", () => {
  const portLevelSettings = [{ port: { number: 80 } }, { port: { number: 9 } }];
  expect(paths({ subsets: [{ name: "v1", trafficPolicy: { portLevelSettings } }] })).toEqual([
    "spec.subsets[0].trafficPolicy.portLevelSettings[1].port.number",
  ]);
});

test.each<[NonNullable<Spec["trafficPolicy"]>, string]>([
  [
    { loadBalancer: { localityLbSetting: { failover: [] } } },
    "loadBalancer.localityLbSetting.failover",
  ],
  [
    { loadBalancer: { localityLbSetting: { failoverPriority: [] } } },
    "loadBalancer.localityLbSetting.failoverPriority",
  ],
  [{ loadBalancer: { simple: "RANDOM", warmup: { duration: "1s" } } }, "loadBalancer.warmup"],
  [
    { loadBalancer: { consistentHash: {}, warmupDurationSecs: "1s" } },
    "loadBalancer.warmupDurationSecs",
  ],
  [
    { outlierDetection: { outlierDetectionHttpErrorCodes: [500] } },
    "outlierDetection.outlierDetectionHttpErrorCodes",
  ],
  [
    { outlierDetection: { consecutiveLocalOriginFailures: 1 } },
    "outlierDetection.consecutiveLocalOriginFailures",
  ],
  [{ retryBudget: { budgetInterval: "1s" } }, "retryBudget.budgetInterval"],
  [
    { connectionPool: { http: { http2KeepAlive: { timeout: "1s" } } } },
    "connectionPool.http.http2KeepAlive",
  ],
])("%j has a field without effect", (trafficPolicy, field) => {
  expect(paths({ trafficPolicy })).toEqual([`spec.trafficPolicy.${field}`]);
});

test("fields that stand beside what they need are not mentioned", () => {
  const trafficPolicy = {
    loadBalancer: {
      simple: "ROUND_ROBIN",
      warmup: { duration: "1s" },
      localityLbSetting: { failover: [{ from: "a", to: "b" }] },
    },
    outlierDetection: { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 1 },
  } as const;
  expect(paths({ trafficPolicy })).toEqual([]);
});
