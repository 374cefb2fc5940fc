import type { Locality } from "./endpoint.ts";
import type { Labels } from "./labels.ts";

/**
 * One proxy as it introduced itself: Istio's node id `type~ip~pod.namespace~domain` and metadata.
 * What it does not announce, it is not sent.
 */
export interface ProxyNode {
  /** The whole node id. */
  readonly id: string;
  /** The name of what it belongs to, which its spans have; "" when it did not say. */
  readonly serviceCluster: string;
  readonly type: "sidecar" | "router";
  readonly ip: string;
  /** All addresses of the pod, `ip` first. */
  readonly ips: readonly string[];
  /** The pod's name. */
  readonly name: string;
  readonly namespace: string;
  /** Suffix for short names, `<namespace>.svc.cluster.local`. */
  readonly dnsDomain: string;
  readonly labels: Labels;
  readonly serviceAccount: string;
  readonly clusterId: string;
  readonly network: string;
  readonly nodeName: string;
  /** As it told by itself; the pod's node may know better. */
  readonly locality: Locality;
  /**
   * How traffic reaches the proxy. `NONE` is portable mode: listeners bind the pod's own address,
   * `http_proxy` takes what goes out. `REDIRECT` and `TPROXY`: netfilter hands everything to the
   * capturing listeners. Gateways, for which nothing is captured, only differ by the address that
   * they bind: their own with `NONE`, else every one.
   */
  readonly interceptionMode: "NONE" | "REDIRECT" | "TPROXY";
  /** Port of the explicit proxy, where there is one. */
  readonly httpProxyPort: number | undefined;
  /** Whether it answers the app's DNS questions (`DNS_CAPTURE`). */
  readonly answersDns: boolean;
  /** Whether it is weft's own proxy, which cannot do all that Envoy can. */
  readonly isWeft: boolean;
  /** Whether weft's agent started it, whose start-up file has nothing that MeshConfig says. */
  readonly hasWeftAgent: boolean;
  /** Istio's version 1 of its agent by the second number; absent for weft's and for one that did not say. */
  readonly istioMinor: number | undefined;
  /** Annotations of the pod, as far as it told. */
  readonly annotations: Labels;
  /** The Deployment that the pod is one of; "" when it did not say. */
  readonly workloadName: string;
  /** "" when it did not say. */
  readonly meshId: string;
  /**
   * Whether its agent hands it certificates over SDS, as Istio's does. weft's own agent has none to
   * give yet, and an Envoy that somebody starts as an explicit proxy without Istio's agent has
   * nobody to ask: what needs one is closed there, and files are read by the proxy itself.
   */
  readonly hasCertificates: boolean;
  /** Whether it takes HTTP/1.0 (Istio's metadata `HTTP10`). */
  readonly takesHttp10: boolean;
  /** How long connections may be idle (Istio's metadata `IDLE_TIMEOUT`); absent: as Envoy has it. */
  readonly idleTimeoutMs: number | undefined;
  /**
   * Where the app behind a `NONE` sidecar listens; absent when it did not say, as under Istio,
   * where app and sidecar share all addresses and can only have different ports.
   */
  readonly appAddress: string | undefined;
  /** Ports of the host that lead to a port of this pod (`containerPort` → address and port). */
  readonly hostPorts: readonly {
    readonly containerPort: number;
    readonly hostIp: string;
    readonly hostPort: number;
  }[];
  /** Whether a gateway may not bind ports below 1024 (`UNPRIVILEGED_POD`). */
  readonly isUnprivileged: boolean;
  /**
   * What it says by itself that its workload calls (`WEFT_CALLED_HOSTS`), beside what it is seen to
   * call; for automatic scope alone.
   */
  readonly calledHosts: readonly string[];
  /** `proxyConfig` of the pod's annotation and the mesh, as it was told (Istio's `PROXY_CONFIG`). */
  readonly proxyConfig: Readonly<Record<string, unknown>>;
}
