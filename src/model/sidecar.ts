import type { Issue } from "../base/issue.ts";
import { memoise } from "../base/memo.ts";
import { matchLabels } from "../config/label-selector.ts";
import { formatKey, keyOf, type ObjectKey } from "../config/object.ts";
import type { IstioEgressListener, Sidecar as SidecarObject } from "../config/sidecar.ts";
import { resolveHost } from "./host.ts";
import type { Labels } from "./labels.ts";
import type { OutboundMode } from "./mesh-settings.ts";
import { type Protocol, parseProtocol } from "./protocol.ts";

/** One Sidecar: what some proxies listen on and what they know. */
export interface Sidecar {
  readonly key: ObjectKey;
  readonly object: SidecarObject;
  readonly namespace: string;
  /** Absent: every workload of the namespace, or of the mesh when it is the root namespace. */
  readonly selector: Labels | undefined;
  /** Never empty; the one without a port, if any, is the last. */
  readonly egress: readonly SidecarEgress[];
  /** Absent: as the mesh has it. */
  readonly outboundMode: OutboundMode | undefined;
  readonly egressProxy:
    | { readonly host: string; readonly subset: string; readonly port: number }
    | undefined;
}

/** One entry of `egress`, or the one that stands for none. */
export interface SidecarEgress {
  readonly path: string;
  /** Absent: one listener for each port of the services. */
  readonly port: SidecarPort | undefined;
  /** An address or `unix://…`; "" when it does not say. */
  readonly bind: string;
  readonly captureMode: CaptureMode;
  readonly imports: readonly HostImport[];
}

/** The port of an entry of `egress`. */
export interface SidecarPort {
  /** 0 with a Unix domain socket. */
  readonly number: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** Whether clients ask it as a proxy, for services of all ports (`HTTP_PROXY`). */
  readonly isHttpProxy: boolean;
}

/** Whether connections to a listener are captured, or its socket is asked. */
export type CaptureMode = "DEFAULT" | "IPTABLES" | "NONE";

/** Services of a namespace, or of all (`*`), that a listener is for. */
export interface HostImport {
  readonly namespace: string;
  /** A name, `*.suffix` or `*`. */
  readonly host: string;
}

/** What is known where nothing is said. */
const EVERYTHING: SidecarEgress = {
  path: "",
  port: undefined,
  bind: "",
  captureMode: "DEFAULT",
  imports: [{ namespace: "*", host: "*" }],
};

/** The Sidecar of an object. */
export const buildSidecar = memoise((object: SidecarObject): Sidecar => {
  const namespace = object.metadata.namespace ?? "";
  const { workloadSelector, egress = [], outboundTrafficPolicy } = object.spec;
  const proxy = outboundTrafficPolicy?.egressProxy;
  return {
    key: keyOf(object),
    object,
    namespace,
    selector: workloadSelector === undefined ? undefined : (workloadSelector.labels ?? {}),
    egress: egress.length === 0 ? [EVERYTHING] : egress.map(buildEgress),
    outboundMode:
      // A policy without a mode means the first word of the enumeration, as protobuf has it.
      outboundTrafficPolicy === undefined
        ? undefined
        : ((outboundTrafficPolicy.mode as OutboundMode | undefined) ?? "REGISTRY_ONLY"),
    egressProxy:
      proxy === undefined
        ? undefined
        : {
            host: resolveHost(proxy.host, namespace),
            subset: proxy.subset ?? "",
            port: proxy.port?.number ?? 0,
          },
  };
});

function buildEgress(
  { port, bind, captureMode, hosts }: IstioEgressListener,
  index: number,
): SidecarEgress {
  return {
    path: `spec.egress[${index}]`,
    port:
      port === undefined
        ? undefined
        : {
            number: port.number ?? 0,
            name: port.name ?? "",
            protocol: parseProtocol(port.protocol ?? "") ?? "auto",
            isHttpProxy: port.protocol?.toUpperCase() === "HTTP_PROXY",
          },
    bind: bind ?? "",
    captureMode: captureMode ?? "DEFAULT",
    imports: hosts.map((text) => {
      const [namespace = "", ...host] = text.split("/");
      return { namespace, host: host.join("/").toLowerCase() };
    }),
  };
}

/**
 * The Sidecar of a workload: the oldest that selects it by its labels, else the oldest for its
 * whole namespace, else that of the root namespace. `sidecars` come oldest first.
 */
export function findSidecar(
  sidecars: readonly Sidecar[],
  workload: { readonly namespace: string; readonly labels: Labels },
  rootNamespace: string,
): Sidecar | undefined {
  const own = sidecars.filter(({ namespace }) => namespace === workload.namespace);
  return (
    own.find(({ selector }) => selector !== undefined && matchLabels(selector, workload.labels)) ??
    own.find(({ selector }) => selector === undefined) ??
    sidecars.find(
      ({ namespace, selector }) => namespace === rootNamespace && selector === undefined,
    )
  );
}

/** Why a Sidecar has no effect, or not all that it asks for; `sidecars` come oldest first. */
export function sidecarIssues(sidecar: Sidecar, sidecars: readonly Sidecar[]): readonly Issue[] {
  const { selector, namespace } = sidecar;
  const first = sidecars.find(
    (other) => other.namespace === namespace && isSameSelector(other.selector, selector),
  );
  if (first === undefined || first === sidecar) return [];
  const message =
    selector === undefined
      ? `has no effect: ${formatKey(first.key)} is for all workloads of the namespace too, ` +
        "and older; select workloads, or join the two"
      : `has no effect: ${formatKey(first.key)} selects the same workloads, and is older; join the two`;
  return [{ path: "spec.workloadSelector", message, severity: "warning" }];
}

function isSameSelector(one: Sidecar["selector"], other: Sidecar["selector"]): boolean {
  if (one === undefined || other === undefined) return one === other;
  const labels = Object.entries(one);
  return (
    labels.length === Object.keys(other).length &&
    labels.every(([name, value]) => other[name] === value)
  );
}
