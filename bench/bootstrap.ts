/** What the bench's proxies are told; both read the same text but for their ports. */
export function bootstrapText(ports: {
  readonly port: number;
  readonly adminPort: number;
  readonly upstreamPort: number;
}): string {
  const routeConfig = {
    name: "local",
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [{ match: { prefix: "/" }, route: { cluster: "upstream" } }],
      },
    ],
  };
  const connectionManager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    statPrefix: "bench",
    routeConfig,
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        },
      },
    ],
  };
  return JSON.stringify(
    {
      node: { id: "bench", cluster: "bench" },
      admin: { address: address(ports.adminPort) },
      staticResources: {
        listeners: [
          {
            name: "in",
            address: address(ports.port),
            filterChains: [
              {
                filters: [
                  {
                    name: "envoy.filters.network.http_connection_manager",
                    typedConfig: connectionManager,
                  },
                ],
              },
            ],
          },
        ],
        clusters: [upstreamCluster(ports.upstreamPort)],
      },
    },
    undefined,
    2,
  );
}

function address(port: number): object {
  return { socketAddress: { address: "127.0.0.1", portValue: port } };
}

function upstreamCluster(port: number): object {
  return {
    name: "upstream",
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment: {
      clusterName: "upstream",
      endpoints: [{ lbEndpoints: [{ endpoint: { address: address(port) } }] }],
    },
  };
}
