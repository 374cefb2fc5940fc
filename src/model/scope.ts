import type { MeshSettings, OutboundMode } from "./mesh-settings.ts";
import type { ObjectIssue, Origin } from "./origin.ts";
import type { Service } from "./service.ts";
import type { CaptureMode, Sidecar, SidecarPort } from "./sidecar.ts";
import type { VirtualService } from "./virtual-service.ts";

export { scopeOf } from "./scope/build-scope.ts";

/**
 * What one proxy may see and send to: the mesh, cut by `exportTo` and by the Sidecar that selects
 * it. Proxies with the same scope have the same value.
 */
export interface Scope {
  readonly namespace: string;
  readonly settings: MeshSettings;
  /** All services that are seen, one per hostname; sorted by hostname. */
  readonly services: ReadonlyMap<string, Service>;
  /** All that apply to sidecars and are seen, the oldest first. */
  readonly virtualServices: readonly VirtualService[];
  /** One that takes everything where no Sidecar says otherwise; the one without a port is last. */
  readonly egress: readonly EgressListener[];
  readonly outboundMode: OutboundMode;
  /** Where unknown traffic goes instead (`Sidecar.outboundTrafficPolicy.egressProxy`). */
  readonly egressProxy:
    | { readonly host: string; readonly subset: string; readonly port: number }
    | undefined;
  /** The Sidecar that made it. */
  readonly sidecar: Sidecar | undefined;
  /** What the Sidecar asks for in vain. */
  readonly issues: readonly ObjectIssue[];
}

/** One way out of a pod. */
export interface EgressListener {
  /** Absent: one listener for each port of the services. */
  readonly port: SidecarPort | undefined;
  /** The address, or `unix://` path, that it listens on; "" when it does not say. */
  readonly bind: string;
  readonly captureMode: CaptureMode;
  /** By hostname; of a service only the ports that the listener is for. */
  readonly services: ReadonlyMap<string, Service>;
  readonly virtualServices: readonly VirtualService[];
  readonly origin: Origin | undefined;
}
