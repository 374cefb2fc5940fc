import { memoise } from "../../base/memo.ts";
import { type Listener, NO_INSPECTION } from "../listener.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import type { ProxyNode } from "../proxy.ts";
import { localAddresses } from "./service-address.ts";

/** The route configuration of the explicit proxy (Istio's name). */
export const HTTP_PROXY_ROUTES = "http_proxy";

/** The port of the explicit proxy: the pod's own words go before the mesh's; absent: none. */
export function httpProxyPort(proxy: ProxyNode, settings: MeshSettings): number | undefined {
  const port = proxy.httpProxyPort ?? settings.httpProxyPort;
  return port === 0 ? undefined : port;
}

/** The listener that apps ask that know their proxy. */
export const httpProxyListener = memoise(
  (proxy: ProxyNode, port: number, reachesDynamicDns: boolean, takesGrpcWeb: boolean): Listener => {
    const [address, ...others] = localAddresses(proxy);
    const name = `${address}_${port}`;
    return {
      name,
      direction: "outbound",
      address: { address, port },
      additionalAddresses: others.map((other) => ({ address: other, port })),
      isBound: true,
      isCapturing: false,
      inspection: NO_INSPECTION,
      chains: [
        {
          name,
          match: {},
          tls: undefined,
          filter: {
            type: "http",
            statPrefix: `outbound_${name}`,
            routes: HTTP_PROXY_ROUTES,
            role: "http-proxy",
            ...(reachesDynamicDns && { reachesDynamicDns }),
            ...(takesGrpcWeb && { takesGrpcWeb }),
          },
          origins: [],
        },
      ],
      defaultChain: undefined,
      inspectionTimeoutMs: undefined,
      keepalive: undefined,
      origins: [],
    };
  },
);
