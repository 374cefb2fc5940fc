import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";

function issuesOf(spec: object): readonly string[] {
  const result = decodeObject({
    apiVersion: "telemetry.istio.io/v1",
    kind: "Telemetry",
    metadata: { name: "a", namespace: "b" },
    spec,
  });
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(({ path, message, severity }) => `${severity ?? "error"} ${path}: ${message}`);
}

const GATEWAY = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "g" };
const providers = [{ name: "p" }];

describe("Telemetry", () => {
  it.each<[object, readonly string[]]>([
    [{}, []],
    [{ tracing: [{ providers, randomSamplingPercentage: 100, disableSpanReporting: null }] }, []],
    [{ tracing: [{ randomSamplingPercentage: 101 }] }, ["error spec.tracing[0].randomSampling"]],
    [{ tracing: [{ providers: [{}] }] }, ["error spec.tracing[0].providers[0].name: is required"]],
    [{ tracing: [{ providers: [{ name: "" }] }] }, ["error spec.tracing[0].providers[0].name"]],
    [{ tracing: [{ match: { mode: "BOTH" } }] }, ["error spec.tracing[0].match.mode: must be one"]],
    [{ tracing: [{}, {}] }, ["warning spec.tracing: has several entries"]],
    [
      { tracing: [{ providers: [...providers, ...providers] }] },
      ["warning spec.tracing[0].providers: has several providers"],
    ],
    [
      { tracing: [{ customTags: { a: { literal: { value: "" } } } }] },
      ["error spec.tracing[0].customTags[a].literal.value"],
    ],
    [
      { tracing: [{ customTags: { a: {} } }] },
      ["warning spec.tracing[0].customTags[a]: has no effect: it has none of literal"],
    ],
    [
      { tracing: [{ customTags: { a: { literal: { value: "b" }, header: { name: "c" } } } }] },
      ["error spec.tracing[0].customTags[a]: may have only one of"],
    ],
    [
      { tracing: [{ customTags: { a: { formatter: { value: "%REQ(a" } } } }] },
      ['error spec.tracing[0].customTags[a]: "%" must start a command operator'],
    ],
    [
      { tracing: [{ customTags: { a: { formatter: { value: "%RECQ(a)%" } } } }] },
      ["error spec.tracing[0].customTags[a]"],
    ],
    [
      { tracing: [{ customTags: { a: { header: { name: "a\n" } } } }] },
      ["error spec.tracing[0].customTags[a]: must not have control characters"],
    ],
    [
      { accessLogging: [{ filter: { expression: " " } }, { filter: { expression: "a ==" } }] },
      [0, 1].map(
        (at) => `error spec.accessLogging[${at}].filter.expression: must be a valid CEL expression`,
      ),
    ],
    [{ accessLogging: [{ filter: { expression: "response.code >= 400 && !has(x.y)" } }] }, []],
    [
      { metrics: [{ overrides: [{ tagOverrides: { t: {} } }] }] },
      [
        "error spec.metrics[0].overrides[0].tagOverrides[t].value: must be set when",
        "warning spec.metrics: has no effect",
      ],
    ],
    [
      { metrics: [{ overrides: [{ tagOverrides: { t: { operation: "REMOVE", value: "x" } } }] }] },
      [
        "error spec.metrics[0].overrides[0].tagOverrides[t].value: may only be set",
        "warning spec.metrics: has no effect",
      ],
    ],
    [{ targetRef: GATEWAY }, []],
    [
      { targetRefs: [GATEWAY], selector: { matchLabels: { a: "b" } } },
      ["error spec: may have only one of"],
    ],
    [
      { targetRef: { ...GATEWAY, namespace: "other" } },
      ["error spec.targetRef.namespace: may not be set"],
    ],
    [{ targetRef: { ...GATEWAY, kind: "Pod" } }, ["error spec.targetRef: must be a Service"]],
    [
      { targetRefs: [{ kind: "Service", name: "s" }] },
      ["warning spec.targetRefs[0]: has no effect: a Service is for waypoints"],
    ],
    [{ selector: {} }, ["warning spec.selector.matchLabels: selects every workload"]],
    [{ selector: { matchLabels: { a: "*" } } }, ["error spec.selector.matchLabels[a]: wildcards"]],
  ])("%j gives %j", (spec, expected) => {
    const starts = expected.map((start) => expect.stringContaining(start));
    expect([...issuesOf(spec)].sort()).toEqual(starts);
  });
});
