import { describe, expect, test } from "vitest";
import type { Finding } from "./findings.ts";
import { buildRefusedChange, buildStatusChange, type ObjectFacts } from "./object-conditions.ts";
import type { ObjectDistribution } from "./object-distribution.ts";

const KEY = { group: "networking.istio.io", kind: "Gateway", namespace: "a", name: "b" };

const wrong = (message: string, severity?: "warning"): Finding => ({
  object: "Gateway/a/b",
  issue: { path: "spec.servers", message, ...(severity && { severity }) },
});

const distribution = (more: Partial<ObjectDistribution> = {}): ObjectDistribution => ({
  object: "Gateway/a/b",
  state: "Distributed",
  proxies: 3,
  acked: 3,
  rejections: [],
  ...more,
});

const facts = (more: Partial<ObjectFacts> = {}): ObjectFacts => ({
  object: {
    apiVersion: "networking.istio.io/v1",
    kind: "Gateway",
    metadata: { name: "b", namespace: "a", generation: 2 },
  },
  findings: [],
  refused: [],
  distribution: distribution(),
  ...more,
});

const said = (more: Partial<ObjectFacts>): readonly string[] =>
  buildStatusChange(facts(more)).conditions.map(
    ({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`,
  );

const IN_USE = "Reconciled True Reconciled: in use";

describe("buildStatusChange()", () => {
  test.each([
    [{}, "Distributed True Distributed: 3/3 proxies"],
    [{ state: "Pending", acked: 1 }, "Distributed False Pending: 1/3 proxies"],
    [{ state: "NoProxies" }, "Distributed Unknown NoProxies: no proxy is connected"],
    [
      { state: "NotUsed", proxies: 0, acked: 0 },
      "Distributed True NotUsed: 0/0 proxies: none that is connected has anything of it",
    ],
  ] as const)("says how far an object has come: %j", (more, expected) => {
    expect(said({ distribution: distribution(more) })).toEqual([IN_USE, expected]);
  });

  test("repeats the words of the first proxies that refused it, and counts the others", () => {
    const rejections = Array.from({ length: 7 }, (_, index) => ({
      proxy: `p${index}.a`,
      type: "lds",
      atMs: 0,
      message: "no",
    }));
    const [, text] = said({
      distribution: distribution({ state: "Rejected", acked: 0, rejections }),
    });
    expect(text).toMatch(
      /^Distributed False Rejected: Rejected by p0\.a: no; .*p4\.a: no; and by 2 more; 0\/3 proxies$/,
    );
  });

  test("tells an object that is wrong from one whose last good version is in use, or none", () => {
    const findings = [wrong("is bad"), wrong("is odd", "warning")];
    expect(said({ findings })[0]).toBe("Reconciled False Invalid: spec.servers: is bad");
    expect(said({ findings: [wrong("is odd", "warning")] })[0]).toBe(IN_USE);
    const refused = [wrong("is bad"), wrong("is worse")];
    expect(said({ refused })[0]).toBe(
      "Reconciled False Refused: spec.servers: is bad (and 1 more); the last good version stays in use",
    );
    // Of the version that was refused nobody here knows the number.
    expect(buildStatusChange(facts({ refused }))).not.toHaveProperty("observedGeneration");
    expect(buildRefusedChange(KEY, refused).conditions.map(({ message }) => message)).toEqual([
      "spec.servers: is bad (and 1 more); it is not in use",
    ]);
  });

  test("keeps what is said within Kubernetes' bounds", () => {
    const findings = Array.from({ length: 300 }, () => wrong("x".repeat(10_000)));
    const { validationMessages, conditions } = buildStatusChange(facts({ findings }));
    expect(validationMessages).toHaveLength(100);
    expect(conditions[0]?.message.length).toBe(4096);
  });
});
