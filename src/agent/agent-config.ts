/**
 * What stands beside one workload is told, as a JSON file: `weft agent --config FILE`.
 * Whoever starts the pod writes it.
 */
export interface AgentConfig {
  readonly proxy: "weft" | "envoy";
  /** The Envoy to start; needed when `proxy` is "envoy". */
  readonly envoyPath?: string;
  readonly type: "sidecar" | "router";
  readonly podName: string;
  readonly namespace: string;
  readonly podIp: string;
  /** The second loopback address, where the app of a sidecar listens. */
  readonly appAddress?: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** ProxyConfig of the pod's annotation, for the control plane; what it does not say, the mesh says. */
  readonly proxyConfig?: Readonly<Record<string, unknown>>;
  readonly hostPorts: readonly {
    readonly containerPort: number;
    readonly hostIp: string;
    readonly hostPort: number;
  }[];
  /** Control plane, `host:port`, plain gRPC. */
  readonly discoveryAddress: string;
  /** Whether the proxy asks for what changed only; else for the state of the world. Istio's is true. */
  readonly deltaXds?: boolean;
  /** The agent's own folder: bootstrap file, sockets. */
  readonly directory: string;
  /** Ports on `podIp`. Istio's are 15000, 15021. */
  readonly adminPort: number;
  readonly healthPort: number;
  readonly logLevel: "debug" | "info" | "warn" | "error";
  /** How long open connections get when the pod stops. */
  readonly drainMs: number;
}
