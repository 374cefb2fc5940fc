import type { Pod } from "../config/pod.ts";
import type { ProcessSpec } from "./container-process.ts";
import type { HostPort } from "./host-ports.ts";
import type { PodAddresses } from "./pod-network.ts";

/** One pod's sidecar that is about to start. */
export interface SidecarContext {
  readonly pod: Pod;
  readonly addresses: PodAddresses;
  /** Whether a container beside the sidecar listens on the app address. */
  readonly hasApp: boolean;
  readonly hostPorts: readonly HostPort[];
  /** The sidecar's own folder; it is there. */
  readonly directory: string;
}

/** Knows what a pod's proxy is as a process; the runtime knows when it runs. */
export interface SidecarLauncher {
  /** The container that is the sidecar: Istio's is `istio-proxy`. */
  readonly containerName: string;
  /** Where, on the pod's address, the sidecar says whether it is ready. */
  readonly healthPort: number;
  readonly healthPath: string;
  /** How long it may take to let connections end. */
  readonly drainMs: number;
  prepare(context: SidecarContext): Promise<ProcessSpec>;
}
