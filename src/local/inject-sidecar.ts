import type { Namespace } from "../config/namespace.ts";
import type { Pod } from "../config/pod.ts";

/** The container that is the sidecar, as Istio calls it. */
export const SIDECAR_CONTAINER = "istio-proxy";

const INJECT_LABEL = "sidecar.istio.io/inject";
const STATUS_ANNOTATION = "sidecar.istio.io/status";

/** Namespaces that never get sidecars. */
const NEVER = ["kube-system", "kube-public", "kube-node-lease"];

/**
 * Whether a new pod gets a sidecar, by Istio's rules: a namespace that says no wins, then the pod's
 * own label, then the namespace that says yes.
 */
export function isToInject(pod: Pod, namespace: Namespace | undefined): boolean {
  if (NEVER.includes(pod.metadata.namespace ?? "")) return false;
  if (pod.spec.containers.some(({ name }) => name === SIDECAR_CONTAINER)) return false;
  const injection = namespace?.metadata.labels?.["istio-injection"];
  if (injection === "disabled") return false;
  const own = pod.metadata.labels?.[INJECT_LABEL] ?? pod.metadata.annotations?.[INJECT_LABEL];
  if (own !== undefined) return own === "true";
  return injection === "enabled";
}

/** The pod with its sidecar, behind its own containers. */
export function injectSidecar(pod: Pod, image: string): Pod {
  const first = pod.spec.containers[0]?.name;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      annotations: {
        ...(first === undefined ? {} : { "kubectl.kubernetes.io/default-container": first }),
        ...pod.metadata.annotations,
        [STATUS_ANNOTATION]: JSON.stringify({ containers: [SIDECAR_CONTAINER] }),
      },
    },
    spec: {
      ...pod.spec,
      containers: [...pod.spec.containers, { name: SIDECAR_CONTAINER, image }],
    },
  };
}
