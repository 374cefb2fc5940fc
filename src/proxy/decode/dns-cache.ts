import { create } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  DnsCacheCircuitBreakersSchema,
  DnsCacheConfigSchema,
  type DnsCacheConfig as DnsCacheMessage,
} from "../../api/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { DnsCacheConfig } from "../cluster/cluster-config.ts";
import { decodeDns } from "./cluster-dns.ts";

/** Envoy's defaults. */
const REFRESH_MS = 60_000;
const REFRESH_MS_MIN = 5000;
const HOST_TTL_MS = 300_000;
const HOSTS_MAX = 1024;
const PENDING_MAX = 1024;
const QUERY_TIMEOUT_MS = 5000;

const FIELDS = [
  "name",
  "dns_lookup_family",
  "dns_refresh_rate",
  "dns_min_refresh_rate",
  "host_ttl",
  "max_hosts",
  "dns_failure_refresh_rate",
  "dns_cache_circuit_breaker",
  "dns_resolution_config",
  "typed_dns_resolver_config",
  "preresolve_hostnames",
  "dns_query_timeout",
];

/** Decodes the cache of a dynamic forward proxy. */
export function decodeDnsCache(
  message: DnsCacheMessage,
  path: string,
  issues: Issue[],
): DnsCacheConfig {
  issues.push(...refuseFields(DnsCacheConfigSchema, message, FIELDS, path));
  const breaker = message.dnsCacheCircuitBreaker;
  if (breaker !== undefined) {
    const at = joinPath(path, "dns_cache_circuit_breaker");
    issues.push(
      ...refuseFields(DnsCacheCircuitBreakersSchema, breaker, ["max_pending_requests"], at),
    );
  }
  const preresolved = message.preresolveHostnames.map(({ address: host, portSpecifier: port }) => ({
    host,
    port: port.case === "portValue" ? port.value : 0,
  }));
  const hostsMax = message.maxHosts ?? HOSTS_MAX;
  if (preresolved.length > hostsMax) {
    const what = `DNS Cache [${message.name}] configured with preresolve_hostnames=${preresolved.length} larger than max_hosts=${hostsMax}`;
    issues.push({ path: joinPath(path, "preresolve_hostnames"), message: what });
  }
  return {
    name: message.name,
    dns: decodeResolution(message, path, issues),
    refreshMsMin: durationMs(message.dnsMinRefreshRate) ?? REFRESH_MS_MIN,
    hostTtlMs: durationMs(message.hostTtl) ?? HOST_TTL_MS,
    hostsMax,
    pendingMax: breaker?.maxPendingRequests ?? PENDING_MAX,
    queryTimeoutMs: durationMs(message.dnsQueryTimeout) ?? QUERY_TIMEOUT_MS,
    preresolved,
  };
}

/** How names are resolved is said as a cluster says it. */
function decodeResolution(
  message: DnsCacheMessage,
  path: string,
  issues: Issue[],
): DnsCacheConfig["dns"] {
  const { dnsFailureRefreshRate, dnsResolutionConfig, typedDnsResolverConfig } = message;
  const own: Issue[] = [];
  const dns = decodeDns(
    create(ClusterSchema, {
      dnsLookupFamily: message.dnsLookupFamily,
      ...(dnsFailureRefreshRate && { dnsFailureRefreshRate }),
      ...(dnsResolutionConfig && { dnsResolutionConfig }),
      ...(typedDnsResolverConfig && { typedDnsResolverConfig }),
    }),
    own,
  );
  issues.push(...own.map((issue) => ({ ...issue, path: joinPath(path, issue.path) })));
  return { ...dns, refreshMs: durationMs(message.dnsRefreshRate) ?? REFRESH_MS };
}
