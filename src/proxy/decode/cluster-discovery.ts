import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_EdsClusterConfigSchema,
  Cluster_LbPolicy,
  Cluster_OriginalDstLbConfigSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { CaresDnsResolverConfigSchema } from "../../api/gen/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.js";
import { GetAddrInfoDnsResolverConfigSchema } from "../../api/gen/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver_pb.js";
import { formatHostPort, isIPv4, isIPv6 } from "../../base/ip.ts";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type {
  ClusterConfig,
  DnsConfig,
  LookupFamily,
  OriginalDstConfig,
  ResolverConfig,
} from "../cluster/cluster-config.ts";
import { decodeAddress } from "./address.ts";
import { isAds } from "./config-source.ts";
import { decodeAssignment, EMPTY_ASSIGNMENT } from "./endpoint.ts";
import { decodeExtension, extension } from "./extension.ts";

/** Envoy's defaults. */
const DNS_REFRESH_MS = 5000;
const CLEANUP_MS = 5000;
const FIRST_ANSWER_MS = 15_000;
const ORIGINAL_DST_HEADER = "x-envoy-original-dst-host";
const DNS_PORT = 53;

const TYPES: Readonly<Record<Cluster_DiscoveryType, ClusterConfig["type"]>> = {
  [Cluster_DiscoveryType.STATIC]: "STATIC",
  [Cluster_DiscoveryType.STRICT_DNS]: "STRICT_DNS",
  [Cluster_DiscoveryType.LOGICAL_DNS]: "LOGICAL_DNS",
  [Cluster_DiscoveryType.EDS]: "EDS",
  [Cluster_DiscoveryType.ORIGINAL_DST]: "ORIGINAL_DST",
};

const FAMILIES: Readonly<Record<Cluster_DnsLookupFamily, LookupFamily>> = {
  [Cluster_DnsLookupFamily.AUTO]: "AUTO",
  [Cluster_DnsLookupFamily.V4_ONLY]: "V4_ONLY",
  [Cluster_DnsLookupFamily.V6_ONLY]: "V6_ONLY",
  [Cluster_DnsLookupFamily.V4_PREFERRED]: "V4_PREFERRED",
  [Cluster_DnsLookupFamily.ALL]: "ALL",
};

type Discovery = Pick<
  ClusterConfig,
  "type" | "edsName" | "edsFirstAnswerMs" | "assignment" | "dns" | "originalDst"
>;

/** Decodes how a cluster's hosts are found. */
export function decodeDiscovery(message: Cluster, issues: Issue[]): Discovery {
  const specifier = message.clusterDiscoveryType;
  const given = specifier.case === "type" ? specifier.value : Cluster_DiscoveryType.STATIC;
  // One that is not known breaks a rule of the .proto file, which is checked after.
  const type = TYPES[given] ?? "STATIC";
  if (type !== "EDS" && message.edsClusterConfig !== undefined) {
    issues.push({ path: "eds_cluster_config", message: "cannot be set in a non-EDS cluster." });
  }
  return {
    type,
    ...decodeEds(message, type, issues),
    assignment: decodeInlineAssignment(message, type, issues),
    dns: type === "STRICT_DNS" || type === "LOGICAL_DNS" ? decodeDns(message, issues) : undefined,
    originalDst: decodeOriginalDst(message, type, issues),
  };
}

function decodeEds(
  message: Cluster,
  type: ClusterConfig["type"],
  issues: Issue[],
): Pick<ClusterConfig, "edsName" | "edsFirstAnswerMs"> {
  if (type !== "EDS") return { edsName: "", edsFirstAnswerMs: 0 };
  const eds = message.edsClusterConfig;
  if (eds === undefined) {
    issues.push({ path: "eds_cluster_config", message: "is missing" });
    return { edsName: message.name, edsFirstAnswerMs: 0 };
  }
  const fields = ["eds_config", "service_name"];
  issues.push(...refuseFields(Cluster_EdsClusterConfigSchema, eds, fields, "eds_cluster_config"));
  isAds(eds.edsConfig, "eds_cluster_config.eds_config", issues);
  return {
    edsName: eds.serviceName || message.name,
    edsFirstAnswerMs: durationMs(eds.edsConfig?.initialFetchTimeout) ?? FIRST_ANSWER_MS,
  };
}

function decodeInlineAssignment(
  message: Cluster,
  type: ClusterConfig["type"],
  issues: Issue[],
): ClusterConfig["assignment"] {
  const { loadAssignment, name } = message;
  if (type === "EDS" || type === "ORIGINAL_DST") {
    if (loadAssignment !== undefined) {
      const what = `${type} clusters must have no load assignment configured`;
      issues.push({ path: "load_assignment", message: what });
    }
    return undefined;
  }
  // A cluster without endpoints is the black hole of Istio.
  const areIps = type === "STATIC";
  const assignment =
    loadAssignment === undefined
      ? { ...EMPTY_ASSIGNMENT, name }
      : decodeAssignment(loadAssignment, "load_assignment", areIps, issues);
  const localities = loadAssignment?.endpoints ?? [];
  if (type === "LOGICAL_DNS" && (localities.length !== 1 || assignment.endpoints.length !== 1)) {
    const what =
      "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint";
    issues.push({ path: "load_assignment", message: what });
  }
  return assignment;
}

function decodeDns(message: Cluster, issues: Issue[]): DnsConfig {
  return {
    family: FAMILIES[message.dnsLookupFamily] ?? "AUTO",
    refreshMs: durationMs(message.dnsRefreshRate) ?? DNS_REFRESH_MS,
    failureRefresh: decodeFailureRefresh(message, issues),
    respectsTtl: message.respectDnsTtl,
    resolver: decodeResolver(message, issues),
    waitsForWarm: message.waitForWarmOnInit ?? true,
  };
}

function decodeFailureRefresh(
  { dnsFailureRefreshRate: rate }: Cluster,
  issues: Issue[],
): DnsConfig["failureRefresh"] {
  if (rate === undefined) return undefined;
  const baseMs = durationMs(rate.baseInterval) ?? DNS_REFRESH_MS;
  const maxMs = durationMs(rate.maxInterval) ?? baseMs * 10;
  // Without a base it breaks a rule of the .proto file, which is checked after.
  if (rate.baseInterval !== undefined && maxMs < baseMs) {
    const what = "must have max_interval greater than or equal to the base_interval";
    issues.push({ path: "dns_failure_refresh_rate", message: what });
  }
  return { baseMs, maxMs };
}

const CARES = extension(
  CaresDnsResolverConfigSchema,
  (message, path, issues): ResolverConfig | undefined => {
    const schema = CaresDnsResolverConfigSchema;
    issues.push(...refuseFields(schema, message, ["resolvers"], path));
    const servers = message.resolvers.flatMap((resolver, at) => {
      const resolverPath = joinPath(path, `resolvers[${at}]`);
      const address = decodeAddress(resolver, resolverPath, issues);
      if (address === undefined) return [];
      if (!isIPv4(address.host) && !isIPv6(address.host)) {
        issues.push({ path: resolverPath, message: `malformed IP address: ${address.host}` });
      }
      return [formatHostPort(address.host, address.port || DNS_PORT)];
    });
    return { servers };
  },
);

/** The machine's own way to resolve, which is what is used without any of these. */
const GETADDRINFO = extension(
  GetAddrInfoDnsResolverConfigSchema,
  (message, path, issues): undefined => {
    issues.push(...refuseFields(GetAddrInfoDnsResolverConfigSchema, message, [], path));
    return undefined;
  },
);

function decodeResolver(
  { typedDnsResolverConfig: config, respectDnsTtl }: Cluster,
  issues: Issue[],
): ResolverConfig | undefined {
  if (config === undefined) return undefined;
  const path = "typed_dns_resolver_config";
  if (respectDnsTtl && config.typedConfig?.typeUrl === GETADDRINFO.typeUrl) {
    // Envoy takes it and never learns a time to live; nobody can mean that.
    issues.push({
      path,
      message: "getaddrinfo tells no time to live, which respect_dns_ttl needs",
    });
  }
  const { name, typedConfig: any } = config;
  return decodeExtension([CARES, GETADDRINFO], { name, any, path }, issues);
}

function decodeOriginalDst(
  message: Cluster,
  type: ClusterConfig["type"],
  issues: Issue[],
): OriginalDstConfig | undefined {
  if (type !== "ORIGINAL_DST") return undefined;
  if (message.lbPolicy !== Cluster_LbPolicy.CLUSTER_PROVIDED) {
    const given = Cluster_LbPolicy[message.lbPolicy] ?? String(message.lbPolicy);
    const what = `LB policy ${given} is not valid for Cluster type ORIGINAL_DST. Only 'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'`;
    issues.push({ path: "lb_policy", message: what });
  }
  const cleanupMs = durationMs(message.cleanupInterval) ?? CLEANUP_MS;
  if (message.lbConfig.case !== "originalDstLbConfig") {
    return { header: "", portOverride: undefined, cleanupMs };
  }
  const config = message.lbConfig.value;
  const path = "original_dst_lb_config";
  const fields = ["use_http_header", "http_header_name", "upstream_port_override"];
  issues.push(...refuseFields(Cluster_OriginalDstLbConfigSchema, config, fields, path));
  if (!config.useHttpHeader && config.httpHeaderName !== "") {
    const what = "has an http_header_name, and use_http_header is false";
    issues.push({ path, message: what });
  }
  return {
    header: config.useHttpHeader
      ? (config.httpHeaderName || ORIGINAL_DST_HEADER).toLowerCase()
      : "",
    portOverride: config.upstreamPortOverride,
    cleanupMs,
  };
}
