import { expect, it } from "vitest";
import type { Deployment } from "../config/deployment.ts";
import type { Pod } from "../config/pod.ts";
import { summarisePods } from "./mesh-readiness.ts";

function pod(name: string, status: Pod["status"], owner?: string): Pod {
  const reference = { apiVersion: "apps/v1", kind: "ReplicaSet", name: owner ?? "", uid: "u" };
  const ownerReferences = owner === undefined ? [] : [reference];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", ownerReferences },
    spec: { containers: [{ name: "app" }] },
    ...(status === undefined ? {} : { status }),
  };
}

it("`summarisePods()` counts what is asked for, and says why a pod is late", () => {
  const deployment = { spec: { replicas: 2 } } as Deployment;
  const ready = { conditions: [{ type: "Ready", status: "True" as const }] };
  const waiting = { reason: "ErrImagePull", message: "no such image" };
  const broken = {
    containerStatuses: [
      { name: "app", image: "", imageID: "", ready: false, restartCount: 0, state: { waiting } },
    ],
  };
  const crashing = {
    containerStatuses: [
      {
        name: "app",
        image: "",
        imageID: "",
        ready: false,
        restartCount: 3,
        state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 4s" } },
        lastState: { terminated: { exitCode: 1, message: "no such port\nat line 1\n" } },
      },
    ],
  };
  const pods = [
    pod("a", ready, "rs"),
    pod("b", broken, "rs"),
    pod("c", crashing, "rs"),
    pod("single", undefined),
  ];
  expect(summarisePods([deployment], pods)).toEqual({
    ready: 1,
    wanted: 3,
    readyPods: ["shop/a"],
    waiting: [
      "shop/b: app: ErrImagePull: no such image",
      "shop/c: app: CrashLoopBackOff: back-off 4s; it ended with 1: no such port",
      "shop/single: Pending",
    ],
  });
});
