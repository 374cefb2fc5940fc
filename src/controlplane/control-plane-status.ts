import type { Finding } from "./findings.ts";
import type { ObjectDistribution } from "./object-distribution.ts";
import type { ProxyStatus } from "./sync-status.ts";

/** How the control plane stands. */
export interface ControlPlaneStatus {
  readonly proxies: readonly ProxyStatus[];
  /** Objects that made something for a proxy that is connected. */
  readonly objects: readonly ObjectDistribution[];
  readonly findings: readonly Finding[];
}
