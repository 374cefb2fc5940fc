import type { Pod } from "../config/pod.ts";
import { hostPortsOf, isHostPortConflict } from "./host-ports.ts";
import { NODE_NAME, PODS_PER_NODE_MAX } from "./node-object.ts";
import { isPodFinished } from "./pod-conditions.ts";

/**
 * Why a pod cannot be placed on the one node beside those that are there, in Kubernetes' words;
 * `undefined` when it can. A pod that is stopping still has its ports.
 */
export function whyUnschedulable(pod: Pod, pods: readonly Pod[]): string | undefined {
  const placed = pods.filter(
    (other) =>
      other.spec.nodeName !== undefined &&
      other.metadata.uid !== pod.metadata.uid &&
      !isPodFinished(other),
  );
  const { nodeName } = pod.spec;
  if (nodeName !== undefined && nodeName !== NODE_NAME) {
    return `0/1 nodes are available: there is no node "${nodeName}", only "${NODE_NAME}"`;
  }
  if (placed.length >= PODS_PER_NODE_MAX) return "0/1 nodes are available: 1 Too many pods";
  const taken = placed.flatMap(hostPortsOf);
  const isTaken = hostPortsOf(pod).some((own) =>
    taken.some((other) => isHostPortConflict(own, other)),
  );
  return isTaken
    ? "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports"
    : undefined;
}
