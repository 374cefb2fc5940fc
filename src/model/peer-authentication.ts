import type { Issue } from "../base/issue.ts";
import { memoise } from "../base/memo.ts";
import { matchLabels } from "../config/label-selector.ts";
import { formatKey, keyOf, type ObjectKey } from "../config/object.ts";
import type {
  PeerAuthenticationMutualTls,
  PeerAuthentication as PeerAuthenticationObject,
} from "../config/peer-authentication.ts";
import type { Labels } from "./labels.ts";
import type { ObjectIssue, Origin } from "./origin.ts";

/** What a port takes: plain text only, that and mutual TLS, or mutual TLS only. */
export type MutualTlsMode = "DISABLE" | "PERMISSIVE" | "STRICT";

/** One PeerAuthentication. */
export interface PeerAuthentication {
  readonly key: ObjectKey;
  readonly object: PeerAuthenticationObject;
  readonly namespace: string;
  /** Absent: for the whole namespace, or for the mesh when that is the root namespace. */
  readonly selector: Labels | undefined;
  /** Absent: what stands above decides. */
  readonly mode: MutualTlsMode | undefined;
  /** By the workload's port; `undefined` takes the workload's own mode. */
  readonly ports: ReadonlyMap<number, MutualTlsMode | undefined>;
}

/** The policy of an object. */
export const buildPeerAuthentication = memoise(
  (object: PeerAuthenticationObject): PeerAuthentication => {
    const { selector, mtls, portLevelMtls = {} } = object.spec ?? {};
    const labels = selector?.matchLabels ?? {};
    return {
      key: keyOf(object),
      object,
      namespace: object.metadata.namespace ?? "",
      // An empty selector is none.
      selector: Object.keys(labels).length === 0 ? undefined : labels,
      mode: modeOf(mtls),
      ports: new Map(
        Object.entries(portLevelMtls).map(([port, said]) => [Number(port), modeOf(said)] as const),
      ),
    };
  },
);

function modeOf(said: PeerAuthenticationMutualTls | undefined): MutualTlsMode | undefined {
  const mode = said?.mode ?? "UNSET";
  return mode === "UNSET" ? undefined : mode;
}

/** What holds for the ports of one workload. */
export interface WorkloadMutualTls {
  /** Where nothing else is said of a port; absent: no policy says anything. */
  readonly mode: MutualTlsMode | undefined;
  /** The policy that says so. */
  readonly origin: Origin | undefined;
  readonly ports: ReadonlyMap<number, PortMutualTls>;
}

/** What is said of one port by its number. */
export interface PortMutualTls {
  readonly mode: MutualTlsMode | undefined;
  readonly origin: Origin | undefined;
}

/** Nothing is said. */
const SILENCE: WorkloadMutualTls = { mode: undefined, origin: undefined, ports: new Map() };

/** Whose pods, and with which labels. */
export interface PolicyTarget {
  readonly namespace: string;
  readonly labels: Labels;
}

/**
 * What the policies say of a workload: the narrowest counts, by mode and port, and what it leaves
 * open is taken from above (mesh, namespace, workload). In each place the oldest counts; `policies`
 * come oldest first. The same value while those that count are the same.
 */
export function mutualTlsOf(
  policies: readonly PeerAuthentication[],
  target: PolicyTarget,
  rootNamespace: string,
): WorkloadMutualTls {
  const { mesh, namespace, workload } = policiesFor(policies, target, rootNamespace);
  const [first, ...rest] = [mesh, namespace, workload].filter((one) => one !== undefined);
  return first === undefined ? SILENCE : compose(first, ...rest);
}

/** The mode of one port of a workload; `undefined` when no policy says anything. */
export function modeOfPort(
  { mode, origin, ports }: WorkloadMutualTls,
  port: number,
): PortMutualTls {
  return ports.get(port) ?? { mode, origin };
}

/** From the widest to the narrowest. */
const compose = memoise(
  (...layers: readonly [PeerAuthentication, ...PeerAuthentication[]]): WorkloadMutualTls => {
    const decisive = layers.findLast(({ mode }) => mode !== undefined);
    const whole: PortMutualTls = {
      mode: decisive?.mode,
      origin: decisive === undefined ? undefined : { key: decisive.key, path: "spec.mtls.mode" },
    };
    const narrowest = layers.at(-1);
    // Ports are those of workloads: who selects none says nothing of them.
    if (narrowest?.selector === undefined) return { ...whole, ports: new Map() };
    const { key } = narrowest;
    const ports = [...narrowest.ports].map(([port, mode]): [number, PortMutualTls] => [
      port,
      mode === undefined
        ? whole
        : { mode, origin: { key, path: `spec.portLevelMtls[${port}].mode` } },
    ]);
    return { ...whole, ports: new Map(ports.sort(([a], [b]) => a - b)) };
  },
);

interface Layers {
  readonly mesh: PeerAuthentication | undefined;
  readonly namespace: PeerAuthentication | undefined;
  readonly workload: PeerAuthentication | undefined;
}

function policiesFor(
  policies: readonly PeerAuthentication[],
  { namespace, labels }: PolicyTarget,
  rootNamespace: string,
): Layers {
  const wide = (of: string) =>
    policies.find((one) => one.selector === undefined && one.namespace === of);
  return {
    mesh: wide(rootNamespace),
    namespace: namespace === rootNamespace ? undefined : wide(namespace),
    workload: selecting(policies, { namespace, labels }, rootNamespace)[0],
  };
}

/** Those that select a workload by its labels, the oldest first. None of the root namespace does. */
function selecting(
  policies: readonly PeerAuthentication[],
  { namespace, labels }: PolicyTarget,
  rootNamespace: string,
): readonly PeerAuthentication[] {
  if (namespace === rootNamespace) return [];
  return policies.filter(
    (one) =>
      one.selector !== undefined &&
      one.namespace === namespace &&
      matchLabels(one.selector, labels),
  );
}

/** Why policies have no effect on anybody; they come oldest first. */
export function peerAuthenticationIssues(
  policies: readonly PeerAuthentication[],
  rootNamespace: string,
): readonly ObjectIssue[] {
  return policies.flatMap((policy) => {
    const issue = issueOf(policy, policies, rootNamespace);
    return issue === undefined ? [] : [{ object: policy.key, issue }];
  });
}

function issueOf(
  { selector, namespace, key }: PeerAuthentication,
  policies: readonly PeerAuthentication[],
  rootNamespace: string,
): Issue | undefined {
  if (selector !== undefined) {
    if (namespace !== rootNamespace) return undefined;
    const message =
      `has no effect: policies of the root namespace ${rootNamespace} are for the whole mesh, ` +
      "and select no workloads; move it to the workloads' namespace";
    return { path: "spec.selector", message, severity: "warning" };
  }
  const first = policies.find((one) => one.selector === undefined && one.namespace === namespace);
  if (first === undefined || first.key === key) return undefined;
  const scope = namespace === rootNamespace ? "mesh" : `namespace ${namespace}`;
  const message =
    `has no effect: ${formatKey(first.key)} is for the whole ${scope} too, and older; ` +
    "keep one of them";
  return { path: "spec", message, severity: "warning" };
}

/** What is left out for one workload: of several policies that select it only the oldest counts. */
export function selectionIssues(
  policies: readonly PeerAuthentication[],
  target: PolicyTarget,
  rootNamespace: string,
): readonly ObjectIssue[] {
  const [first, ...younger] = selecting(policies, target, rootNamespace);
  if (first === undefined) return [];
  return younger.map(({ key }) => {
    const message =
      `has no effect on pods that ${formatKey(first.key)} selects too, which is older: ` +
      "let each pod be selected by one";
    return { object: key, issue: { path: "spec.selector", message, severity: "warning" } };
  });
}
