/**
 * One proxy as it introduced itself: Istio's node id `type~ip~pod.namespace~domain` and metadata.
 * What it does not announce, it is not sent.
 */
export interface ProxyNode {
  /** The whole node id. */
  readonly id: string;
  readonly type: "sidecar" | "router";
  readonly ip: string;
  /** The pod's name. */
  readonly name: string;
  readonly namespace: string;
  /** Suffix for short names, `<namespace>.svc.cluster.local`. */
  readonly dnsDomain: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  /**
   * How traffic reaches the proxy. `NONE` is portable mode: listeners bind the pod's own address,
   * `http_proxy` takes what goes out. `REDIRECT` is not generated yet.
   */
  readonly interceptionMode: "NONE" | "REDIRECT";
  /** Whether it can speak HTTP/2 to upstreams; weft's own proxy says that it cannot yet. */
  readonly speaksHttp2: boolean;
  /** Where the app behind a `NONE` sidecar listens; "127.0.0.1" when it did not say. */
  readonly appAddress: string;
  /** Ports of the host that lead to a port of this pod (`containerPort` → address and port). */
  readonly hostPorts: readonly {
    readonly containerPort: number;
    readonly hostIp: string;
    readonly hostPort: number;
  }[];
}
