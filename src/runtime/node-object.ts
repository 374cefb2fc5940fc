import { arch, cpus, hostname, release, totalmem } from "node:os";
import type { Clock } from "../base/clock.ts";
import type { Condition } from "../config/condition.ts";
import type { KubeObject } from "../config/object.ts";
import type { Storage } from "../storage/storage.ts";
import { setCondition } from "./conditions.ts";
import { writeStatus } from "./write-status.ts";

/** The one node: this machine. */
export const NODE_NAME = "weft";

/** As many pods as a kubelet takes unless it is told otherwise. */
export const PODS_PER_NODE_MAX = 110;

/** Writes the node object that stands for this machine, ready. */
export async function registerNode(storage: Storage, clock: Clock): Promise<void> {
  const key = { group: "", kind: "Node", namespace: "", name: NODE_NAME };
  const node = storage.get(key) ?? (await storage.create(nodeObject()));
  const before = (node as KubeObject & { status?: { conditions?: readonly Condition[] } }).status;
  const capacity = {
    cpu: String(cpus().length),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(PODS_PER_NODE_MAX),
  };
  await writeStatus(storage, node, {
    capacity,
    allocatable: capacity,
    conditions: setCondition(
      before?.conditions ?? [],
      {
        type: "Ready",
        status: "True",
        reason: "RuntimeReady",
        message: "pods run as processes of this machine",
      },
      clock.nowMs(),
    ),
    addresses: [
      { type: "InternalIP", address: "127.0.0.1" },
      { type: "Hostname", address: hostname() },
    ],
    nodeInfo: {
      architecture: arch() === "x64" ? "amd64" : arch(),
      operatingSystem: process.platform,
      kernelVersion: release(),
      osImage: process.platform,
      containerRuntimeVersion: "weft://portable",
      kubeletVersion: "",
      kubeProxyVersion: "",
      machineID: "",
      systemUUID: "",
      bootID: "",
    },
  });
}

function nodeObject(): KubeObject & { readonly spec: unknown } {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: NODE_NAME,
      labels: { "kubernetes.io/hostname": NODE_NAME, "kubernetes.io/os": process.platform },
    },
    spec: {},
  };
}
