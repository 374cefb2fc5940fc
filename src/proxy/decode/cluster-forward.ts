import {
  type Cluster,
  Cluster_CustomClusterTypeSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterConfigSchema } from "../../api/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { DnsCacheConfig, NameRules } from "../cluster/cluster-config.ts";
import { decodeDnsCache } from "./dns-cache.ts";
import { decodeExtension, extension } from "./extension.ts";

const PATH = "cluster_type";

/** What makes a cluster a dynamic forward proxy. */
export interface ForwardConfig {
  readonly cache: DnsCacheConfig;
  /** Whether its TLS may go without names of its own. */
  readonly allowsInsecure: boolean;
}

const FORWARD = extension(
  ClusterConfigSchema,
  (message, path, issues): ForwardConfig | undefined => {
    const fields = ["dns_cache_config", "allow_insecure_cluster_options"];
    issues.push(...refuseFields(ClusterConfigSchema, message, fields, path));
    const { clusterImplementationSpecifier: specifier } = message;
    if (specifier.case !== "dnsCacheConfig") {
      if (specifier.case === undefined) issues.push({ path, message: "has no dns_cache_config" });
      return undefined;
    }
    return {
      cache: decodeDnsCache(specifier.value, joinPath(path, "dns_cache_config"), issues),
      allowsInsecure: message.allowInsecureClusterOptions,
    };
  },
);

/** Decodes a dynamic forward proxy; `undefined` for any other cluster, and after an issue. */
export function decodeForward(
  { clusterDiscoveryType: specifier }: Cluster,
  issues: Issue[],
): ForwardConfig | undefined {
  if (specifier.case !== "clusterType") return undefined;
  const { name, typedConfig: any } = specifier.value;
  if (any?.typeUrl !== FORWARD.typeUrl) return undefined;
  const fields = ["name", "typed_config"];
  issues.push(...refuseFields(Cluster_CustomClusterTypeSchema, specifier.value, fields, PATH));
  return decodeExtension([FORWARD], { name, any, path: PATH }, issues);
}

/** Whether a cluster is meant to be one. */
export function isForward({ clusterDiscoveryType: specifier }: Cluster): boolean {
  return (
    specifier.case === "clusterType" && specifier.value.typedConfig?.typeUrl === FORWARD.typeUrl
  );
}

/**
 * How the TLS of a dynamic forward proxy is named: after the request, or whoever answers for a name
 * would be believed to be it.
 */
export function forwardNames(
  { typedExtensionProtocolOptions: given }: Cluster,
  names: NameRules | undefined,
  { allowsInsecure }: ForwardConfig,
  issues: Issue[],
): NameRules | undefined {
  if (Object.keys(given).length === 0) {
    return { setsServerName: true, checksCertificate: true, header: "" };
  }
  const isSafe = names?.setsServerName === true && names.checksCertificate;
  if (!isSafe && !allowsInsecure) {
    const what =
      "dynamic_forward_proxy cluster must have auto_sni and auto_san_validation true unless allow_insecure_cluster_options is set.";
    issues.push({ path: "typed_extension_protocol_options", message: what });
  }
  return names;
}
