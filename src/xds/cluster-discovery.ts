import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
} from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterConfigSchema } from "../api/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js";
import type { DnsCacheConfigSchema } from "../api/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.js";
import { packAny } from "../api/type-url.ts";
import type { Cluster, Discovery, Lookup, LookupFamily } from "../model/cluster.ts";
import { localityEndpoints, plainEndpoints } from "./endpoint.ts";
import { ADS, type ClusterFields, duration, socketAddress } from "./wire.ts";

const TYPE: Readonly<Record<Exclude<Discovery["type"], "dynamic-dns">, Cluster_DiscoveryType>> = {
  eds: Cluster_DiscoveryType.EDS,
  static: Cluster_DiscoveryType.STATIC,
  "strict-dns": Cluster_DiscoveryType.STRICT_DNS,
  "logical-dns": Cluster_DiscoveryType.LOGICAL_DNS,
  "original-dst": Cluster_DiscoveryType.ORIGINAL_DST,
};

const FAMILY: Readonly<Record<LookupFamily, Cluster_DnsLookupFamily>> = {
  v4: Cluster_DnsLookupFamily.V4_ONLY,
  v6: Cluster_DnsLookupFamily.V6_ONLY,
  all: Cluster_DnsLookupFamily.ALL,
};

/** Where a cluster's hosts come from; of `eds` clusters they come by themselves, under its name. */
export function discoveryFields({ name, discovery, transport }: Cluster): ClusterFields {
  if (discovery.type === "dynamic-dns") {
    return dynamicDns(discovery, transport?.tls.trusted === undefined);
  }
  const type: ClusterFields = {
    clusterDiscoveryType: { case: "type", value: TYPE[discovery.type] },
  };
  switch (discovery.type) {
    case "eds":
      return {
        ...type,
        edsClusterConfig: { edsConfig: ADS, serviceName: discovery.serviceName ?? name },
      };
    case "static":
      return {
        ...type,
        ...(discovery.sourceAddress !== undefined && boundTo(discovery.sourceAddress)),
        loadAssignment: { clusterName: name, endpoints: plainEndpoints(discovery.endpoints) },
      };
    case "strict-dns":
    case "logical-dns":
      return {
        ...type,
        dnsLookupFamily: FAMILY[discovery.family],
        dnsRefreshRate: duration(discovery.refreshMs),
        respectDnsTtl: true,
        loadAssignment: { clusterName: name, endpoints: localityEndpoints(discovery.groups) },
      };
    case "original-dst": {
      const { sourceAddress } = discovery;
      return sourceAddress === undefined ? type : { ...type, ...boundTo(sourceAddress) };
    }
  }
}

/** Binds connections to an address of the proxy's own. */
function boundTo(sourceAddress: string): ClusterFields {
  const { address } = socketAddress(sourceAddress, 0);
  return address?.case === "socketAddress"
    ? { upstreamBindConfig: { sourceAddress: address.value } }
    : {};
}

function dynamicDns(lookup: Lookup, isUnchecked: boolean): ClusterFields {
  const config = create(ClusterConfigSchema, {
    clusterImplementationSpecifier: {
      case: "dnsCacheConfig",
      value: dnsCacheConfig(lookup),
    },
    // Envoy wants to be told of TLS that takes any certificate, and of no TLS at all.
    allowInsecureClusterOptions: isUnchecked,
  });
  return {
    clusterDiscoveryType: {
      case: "clusterType",
      value: {
        name: "envoy.clusters.dynamic_forward_proxy",
        typedConfig: packAny(ClusterConfigSchema, config),
      },
    },
  };
}

/**
 * The cache of looked-up names. The HTTP filter and the clusters that use one cache must say the
 * same of it.
 */
export function dnsCacheConfig({
  family,
  refreshMs,
}: Lookup): MessageInitShape<typeof DnsCacheConfigSchema> {
  return {
    name: `dynamic_forward_proxy_cache_${family}`,
    dnsLookupFamily: FAMILY[family],
    dnsRefreshRate: duration(refreshMs),
  };
}
