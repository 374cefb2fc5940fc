import { describe, expect, it } from "vitest";
import type { Deployment } from "../config/deployment.ts";
import type { ReplicaSet } from "../config/replica-set.ts";
import { rolloutStep } from "./rollout.ts";

function deployment(replicas: number, spec: Partial<Deployment["spec"]> = {}): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d", namespace: "n" },
    spec: {
      replicas,
      selector: {},
      template: { spec: { containers: [{ name: "c" }] } },
      ...spec,
    },
  };
}

function set(name: string, replicas: number, available: number = replicas): ReplicaSet {
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name, namespace: "n" },
    spec: { replicas, selector: {}, template: { spec: { containers: [{ name: "c" }] } } },
    status: { replicas, availableReplicas: available },
  };
}

/** Plays a rollout in which every pod becomes available at once; the pods of each step. */
function play(target: Deployment, oldReplicas: number): readonly string[] {
  let old = oldReplicas;
  let fresh = 0;
  const steps: string[] = [];
  for (let round = 0; round < 50; round++) {
    const oldSet = set("old", old);
    const step = rolloutStep(target, set("new", fresh), [oldSet]);
    const nextOld = step.oldReplicas.get(oldSet) ?? old;
    if (nextOld === old && step.newReplicas === fresh) break;
    old = nextOld;
    fresh = step.newReplicas;
    steps.push(`${fresh}+${old}`);
  }
  return steps;
}

describe("rolloutStep()", () => {
  it.each([
    ["one pod: the new one first", 1, {}, ["1+1", "1+0"]],
    ["four pods: one too many, one too few", 4, {}, ["1+3", "2+2", "3+1", "4+0"]],
    [
      "no surge: old ones go first",
      2,
      { maxSurge: 0, maxUnavailable: 1 },
      ["0+1", "1+1", "1+0", "2+0"],
    ],
    ["both zero counts as one missing", 1, { maxSurge: 0, maxUnavailable: 0 }, ["0+0", "1+0"]],
    ["everything at once", 3, { maxSurge: "100%", maxUnavailable: "100%" }, ["3+0"]],
  ])("%s", (_, replicas, rollingUpdate, steps) => {
    const target = deployment(replicas, { strategy: { type: "RollingUpdate", rollingUpdate } });
    expect(play(target, replicas)).toEqual(steps);
  });

  it("keeps old pods while new ones do not work", () => {
    const old = set("old", 3);
    const step = rolloutStep(deployment(4), set("new", 2, 0), [old]);
    expect(step.newReplicas).toBe(2);
    expect(step.oldReplicas.size).toBe(0);
  });

  it("takes old pods that do not work first", () => {
    const broken = set("broken", 1, 0);
    const good = set("good", 3);
    const step = rolloutStep(deployment(4), set("new", 1, 1), [good, broken]);
    expect(step.oldReplicas.get(broken)).toBe(0);
    expect(step.oldReplicas.get(good)).toBe(2);
  });

  it("empties everything before `Recreate` begins anew", () => {
    const target = deployment(2, { strategy: { type: "Recreate" } });
    const old = set("old", 2);
    const first = rolloutStep(target, undefined, [old]);
    expect([first.newReplicas, first.oldReplicas.get(old)]).toEqual([0, 0]);
    expect(rolloutStep(target, undefined, [set("old", 0)]).newReplicas).toBe(2);
  });

  it("changes only the number while paused", () => {
    const old = set("old", 2);
    const step = rolloutStep(deployment(3, { paused: true }), set("new", 1), [old]);
    expect([step.newReplicas, step.oldReplicas.size]).toEqual([1, 0]);
  });
});
