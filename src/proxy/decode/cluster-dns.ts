import {
  type Cluster,
  Cluster_DnsLookupFamily,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { Address } from "../../api/gen/envoy/config/core/v3/address_pb.js";
import {
  DnsResolutionConfigSchema,
  type DnsResolverOptions,
  DnsResolverOptionsSchema,
} from "../../api/gen/envoy/config/core/v3/resolver_pb.js";
import { CaresDnsResolverConfigSchema } from "../../api/gen/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.js";
import { GetAddrInfoDnsResolverConfigSchema } from "../../api/gen/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver_pb.js";
import { formatHostPort, isIPv4, isIPv6 } from "../../base/ip.ts";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type {
  DnsConfig,
  LookupFamily,
  NameServerConfig,
  ResolverConfig,
} from "../cluster/cluster-config.ts";
import { decodeAddress } from "./address.ts";
import { decodeExtension, extension } from "./extension.ts";

/** Envoy's defaults. */
const DNS_REFRESH_MS = 5000;
const DNS_PORT = 53;
const MACHINES_SERVERS: ResolverConfig = {
  kind: "name_servers",
  servers: [],
  areFallback: false,
  searches: true,
  skipsUnroutable: false,
};

const FAMILIES: Readonly<Record<Cluster_DnsLookupFamily, LookupFamily>> = {
  [Cluster_DnsLookupFamily.AUTO]: "AUTO",
  [Cluster_DnsLookupFamily.V4_ONLY]: "V4_ONLY",
  [Cluster_DnsLookupFamily.V6_ONLY]: "V6_ONLY",
  [Cluster_DnsLookupFamily.V4_PREFERRED]: "V4_PREFERRED",
  [Cluster_DnsLookupFamily.ALL]: "ALL",
};

/** Decodes how the names of a cluster are resolved. */
export function decodeDns(message: Cluster, issues: Issue[]): DnsConfig {
  return {
    family: FAMILIES[message.dnsLookupFamily] ?? "AUTO",
    refreshMs: durationMs(message.dnsRefreshRate) ?? DNS_REFRESH_MS,
    jitterMs: durationMs(message.dnsJitter) ?? 0,
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

const CARES = extension(CaresDnsResolverConfigSchema, (message, path, issues): ResolverConfig => {
  const schema = CaresDnsResolverConfigSchema;
  const fields = [
    "resolvers",
    "use_resolvers_as_fallback",
    "filter_unroutable_families",
    "dns_resolver_options",
  ];
  issues.push(...refuseFields(schema, message, fields, path));
  return {
    kind: "name_servers",
    servers: decodeServers(message.resolvers, path, issues),
    areFallback: message.useResolversAsFallback,
    skipsUnroutable: message.filterUnroutableFamilies,
    searches: decodeSearches(message.dnsResolverOptions, path, issues),
  };
});

/** The machine's own way to resolve. */
const GETADDRINFO = extension(
  GetAddrInfoDnsResolverConfigSchema,
  (message, path, issues): ResolverConfig => {
    issues.push(...refuseFields(GetAddrInfoDnsResolverConfigSchema, message, [], path));
    return { kind: "getaddrinfo" };
  },
);

function decodeResolver(message: Cluster, issues: Issue[]): ResolverConfig {
  const { typedDnsResolverConfig: config, respectDnsTtl } = message;
  // As in Envoy, the new field hides the old one.
  if (config === undefined) return decodeResolution(message, issues) ?? MACHINES_SERVERS;
  const path = "typed_dns_resolver_config";
  if (respectDnsTtl && config.typedConfig?.typeUrl === GETADDRINFO.typeUrl) {
    // Envoy takes it and never learns a time to live; nobody can mean that.
    issues.push({
      path,
      message: "getaddrinfo tells no time to live, which respect_dns_ttl needs",
    });
  }
  const { name, typedConfig: any } = config;
  return decodeExtension([CARES, GETADDRINFO], { name, any, path }, issues) ?? MACHINES_SERVERS;
}

/** The same in its old place. */
function decodeResolution(
  { dnsResolutionConfig: config }: Cluster,
  issues: Issue[],
): ResolverConfig | undefined {
  if (config === undefined) return undefined;
  const path = "dns_resolution_config";
  const fields = ["resolvers", "dns_resolver_options"];
  issues.push(...refuseFields(DnsResolutionConfigSchema, config, fields, path));
  return {
    kind: "name_servers",
    servers: decodeServers(config.resolvers, path, issues),
    areFallback: false,
    skipsUnroutable: false,
    searches: decodeSearches(config.dnsResolverOptions, path, issues),
  };
}

function decodeServers(
  resolvers: readonly Address[],
  path: string,
  issues: Issue[],
): NameServerConfig["servers"] {
  return resolvers.flatMap((resolver, at) => {
    const resolverPath = joinPath(path, `resolvers[${at}]`);
    const address = decodeAddress(resolver, resolverPath, issues);
    if (address === undefined) return [];
    if (!isIPv4(address.host) && !isIPv6(address.host)) {
      issues.push({ path: resolverPath, message: `malformed IP address: ${address.host}` });
    }
    return [formatHostPort(address.host, address.port || DNS_PORT)];
  });
}

/** Whether the machine's search list counts. */
function decodeSearches(
  options: DnsResolverOptions | undefined,
  path: string,
  issues: Issue[],
): boolean {
  if (options === undefined) return true;
  const at = joinPath(path, "dns_resolver_options");
  const fields = ["no_default_search_domain"];
  issues.push(...refuseFields(DnsResolverOptionsSchema, options, fields, at));
  return !options.noDefaultSearchDomain;
}
