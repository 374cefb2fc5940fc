import { isIPv4 } from "../../base/ip.ts";
import { memoise } from "../../base/memo.ts";
import {
  type Cluster,
  type Discovery,
  INBOUND_PASSTHROUGH,
  inboundClusterName,
} from "../cluster.ts";
import { BARE_ENDPOINT } from "../endpoint.ts";
import type { ListenAddress } from "../listener.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { isHttp2 } from "../protocol.ts";
import type { ProxyNode } from "../proxy.ts";
import { DEFAULT_POLICY, type TrafficPolicy } from "../traffic-policy.ts";
import type { InboundPort } from "./inbound-port.ts";

/**
 * From this address sidecars connect to their own app, by which the rules of the traffic capture
 * know that it need not be captured once more (Istio's).
 */
function passthroughSource({ ip }: ProxyNode): string {
  return isIPv4(ip) ? "127.0.0.6" : "::6";
}

const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "::1"]);

/** The cluster of one port: the pod's own app. */
export const inboundCluster = memoise(
  (port: InboundPort, proxy: ProxyNode, settings: MeshSettings): Cluster => {
    const { app, number, protocol, target, pool } = port;
    const policy: TrafficPolicy =
      pool === DEFAULT_POLICY.connectionPool
        ? DEFAULT_POLICY
        : { ...DEFAULT_POLICY, connectionPool: pool };
    return {
      name: inboundClusterName(number),
      direction: "inbound",
      discovery: discoveryOf(app, proxy),
      target: target === undefined ? undefined : { ...target, subset: "" },
      policy: app === "original" ? { ...policy, loadBalancer: "PASSTHROUGH" } : policy,
      connectTimeoutMs: pool.connectTimeoutMs ?? settings.connectTimeoutMs,
      ...(pool.keepalive === undefined ? {} : { keepalive: pool.keepalive }),
      upstreamProtocol: upstreamProtocol(port, proxy, isHttp2(protocol)),
      origins: port.origins,
    };
  },
);

function upstreamProtocol(
  { protocol, isBound }: InboundPort,
  { appAddress }: ProxyNode,
  speaksHttp2: boolean,
): Cluster["upstreamProtocol"] {
  if (speaksHttp2) return "http2";
  // A port that does not say what it speaks is bytes in portable mode.
  if (protocol !== "auto" || (isBound && appAddress !== undefined)) return "http1";
  return "client";
}

function discoveryOf(app: InboundPort["app"], proxy: ProxyNode): Discovery {
  const sourceAddress = passthroughSource(proxy);
  if (app === "original") return { type: "original-dst", sourceAddress };
  const isReached = "path" in app || LOOPBACK.has(app.address) || proxy.appAddress !== undefined;
  return {
    type: "static",
    endpoints: [endpointOf(app)],
    // What goes to the pod's own address would be captured again.
    ...(isReached ? {} : { sourceAddress }),
  };
}

function endpointOf(app: ListenAddress) {
  const at = "path" in app ? { address: app.path, port: 0 } : app;
  return { ...BARE_ENDPOINT, ...at };
}

/** Where captured traffic goes that no port is known for: where it was meant to. */
export const inboundPassthrough = memoise(
  (proxy: ProxyNode, settings: MeshSettings): Cluster => ({
    name: INBOUND_PASSTHROUGH,
    direction: "inbound",
    discovery: { type: "original-dst", sourceAddress: passthroughSource(proxy) },
    target: undefined,
    policy: { ...DEFAULT_POLICY, loadBalancer: "PASSTHROUGH" },
    connectTimeoutMs: settings.connectTimeoutMs,
    upstreamProtocol: "client",
    origins: [],
  }),
);
