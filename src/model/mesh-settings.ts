/** Mesh-wide settings that concern traffic, with every default in its place (Istio's MeshConfig). */
export interface MeshSettings {
  /** The namespace of policies that are for the whole mesh, and of the settings themselves. */
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly outboundMode: OutboundMode;
  readonly inboundMode: "PASSTHROUGH" | "LOCALHOST";
  readonly isAutoMtls: boolean;
  readonly connectTimeoutMs: number;
  /** Ports of the capturing listeners, and of the explicit proxy (0: none). */
  readonly outboundPort: number;
  readonly inboundPort: number;
  readonly httpProxyPort: number;
  /** What `exportTo` says where an object of the kind says nothing. */
  readonly exportTo: {
    readonly service: readonly string[];
    readonly virtualService: readonly string[];
    readonly destinationRule: readonly string[];
  };
}

/** What happens to requests for hosts that the mesh does not know. */
export type OutboundMode = "ALLOW_ANY" | "REGISTRY_ONLY" | "ALLOW_ANY_DYNAMIC_DNS";

/** What holds where nobody says anything; Istio's defaults. */
export const DEFAULT_SETTINGS: MeshSettings = {
  rootNamespace: "istio-system",
  trustDomain: "cluster.local",
  outboundMode: "ALLOW_ANY",
  inboundMode: "PASSTHROUGH",
  isAutoMtls: true,
  connectTimeoutMs: 10_000,
  outboundPort: 15_001,
  inboundPort: 15_006,
  httpProxyPort: 0,
  exportTo: { service: ["*"], virtualService: ["*"], destinationRule: ["*"] },
};
