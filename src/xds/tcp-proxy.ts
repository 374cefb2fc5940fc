import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { FilterSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { TcpProxySchema } from "../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { packAny } from "../api/type-url.ts";
import type { TcpChain } from "../model/listener.ts";

/** The TCP proxy at the end of a chain. */
export function tcpFilter({
  statPrefix,
  clusters,
}: TcpChain): MessageInitShape<typeof FilterSchema> {
  const [first] = clusters;
  const isOne = clusters.length === 1 && first !== undefined;
  const proxy = create(TcpProxySchema, {
    statPrefix,
    clusterSpecifier: isOne
      ? { case: "cluster", value: first.name }
      : {
          case: "weightedClusters",
          value: { clusters: clusters.map(({ name, weight }) => ({ name, weight })) },
        },
  });
  return {
    name: "envoy.filters.network.tcp_proxy",
    configType: { case: "typedConfig", value: packAny(TcpProxySchema, proxy) },
  };
}
