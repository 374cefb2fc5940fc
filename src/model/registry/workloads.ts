import { memoise } from "../../base/memo.ts";
import type { Node } from "../../config/node.ts";
import { keyOf } from "../../config/object.ts";
import type { Pod } from "../../config/pod.ts";
import type { WorkloadEntry } from "../../config/workload-entry.ts";
import type { ConfigView } from "../../store/store.ts";
import { compareAge, type ObjectIssue } from "../origin.ts";
import { buildEntryWorkload, buildWorkload, type Workload } from "../workload.ts";
import type { MemoryEntry } from "./registry-part.ts";

const NETWORKING = "networking.istio.io";

/** All workloads: pods, then WorkloadEntries that are not known to be ill. */
export function listWorkloads(
  view: ConfigView,
  memory: MemoryEntry,
): { readonly workloads: readonly Workload[]; readonly issues: readonly ObjectIssue[] } {
  const nodes = nodesByName(view.list<Node>("", "Node"));
  const entries = entryWorkloads(view.list<WorkloadEntry>(NETWORKING, "WorkloadEntry"));
  const pods = view.list<Pod>("", "Pod").map((pod) => buildWorkload(pod, nodeOf(pod, nodes)));
  return {
    workloads: memory.keep("all", [...pods, ...entries.workloads]),
    issues: entries.issues,
  };
}

function nodeOf({ spec }: Pod, nodes: ReadonlyMap<string, Node>): Node | undefined {
  return spec.nodeName === undefined ? undefined : nodes.get(spec.nodeName);
}

const nodesByName = memoise(
  (nodes: readonly Node[]) => new Map(nodes.map((node) => [node.metadata.name, node])),
);

const entryWorkloads = memoise((objects: readonly WorkloadEntry[]) => {
  const taken = new Map<string, WorkloadEntry>();
  const workloads: Workload[] = [];
  const issues: ObjectIssue[] = [];
  for (const object of [...objects].sort(compareAge)) {
    const workload = buildEntryWorkload(object);
    const place = `${workload.network} ${workload.ip ?? ""}`;
    const older = taken.get(place);
    if (workload.ip === undefined) {
      issues.push(
        entryIssue(object, "has no address: endpoints of other networks are not built yet"),
      );
    } else if (older !== undefined && older.metadata.namespace === object.metadata.namespace) {
      const text = `${older.metadata.namespace ?? ""}/${older.metadata.name}`;
      issues.push(entryIssue(object, `has the address of WorkloadEntry/${text}, which is older`));
    }
    taken.set(place, older ?? object);
    if (workload.ip !== undefined && !isIll(object)) workloads.push(workload);
  }
  return { workloads, issues };
});

/** Its agent probes it and says so; without a word it counts as well. */
function isIll({ status }: WorkloadEntry): boolean {
  return (
    status?.conditions?.some((one) => one.type === "Healthy" && one.status === "False") === true
  );
}

function entryIssue(object: WorkloadEntry, message: string): ObjectIssue {
  return {
    object: keyOf(object),
    issue: { path: "spec.address", message, severity: "warning" },
  };
}
