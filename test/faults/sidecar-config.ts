import type { AgentConfig } from "../../src/agent/agent-config.ts";

/** What tells one sidecar of a test from another. */
export interface SidecarSpec {
  /** Its pod's name. */
  readonly name: string;
  readonly ip: string;
  /** The Envoy to start; absent: weft's own proxy. */
  readonly envoy: string | undefined;
  readonly discoveryAddress: string;
  readonly folder: string;
}

/** What the agent of a pod that only sends would be told. */
export function sidecarConfig({
  name,
  ip,
  envoy,
  discoveryAddress,
  folder,
}: SidecarSpec): AgentConfig {
  return {
    proxy: envoy === undefined ? "weft" : "envoy",
    type: "sidecar",
    podName: name,
    namespace: "default",
    podIp: ip,
    serviceAccount: "default",
    labels: { app: name },
    hostPorts: [],
    discoveryAddress,
    directory: folder,
    adminPort: 15_000,
    healthPort: 15_021,
    logLevel: "warn",
    drainMs: 0,
  };
}
