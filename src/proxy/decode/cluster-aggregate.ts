import {
  type Cluster,
  Cluster_CustomClusterTypeSchema,
} from "../../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterConfigSchema } from "../../api/gen/envoy/extensions/clusters/aggregate/v3/cluster_pb.js";
import type { Issue } from "../../base/issue.ts";
import { refuseFields } from "../../match/refuse-fields.ts";
import { decodeExtension, extension } from "./extension.ts";

const PATH = "cluster_type";

const AGGREGATE = extension(ClusterConfigSchema, (message, path, issues): readonly string[] => {
  issues.push(...refuseFields(ClusterConfigSchema, message, ["clusters"], path));
  return message.clusters;
});

/**
 * The names of the clusters that an aggregate cluster is made of, in order; `undefined` for any
 * other cluster. Whether there are such clusters shows when somebody asks.
 */
export function decodeAggregate(
  { clusterDiscoveryType: specifier }: Cluster,
  issues: Issue[],
): readonly string[] | undefined {
  if (specifier.case !== "clusterType") return undefined;
  const { name, typedConfig: any } = specifier.value;
  // The name says nothing where there is a configuration, whose type does; as in Envoy.
  if (any?.typeUrl !== AGGREGATE.typeUrl) {
    if (any !== undefined || name !== "envoy.clusters.aggregate") return undefined;
    issues.push({ path: `${PATH}.typed_config.clusters`, message: "must have at least 1 item" });
    return [];
  }
  const fields = ["name", "typed_config"];
  issues.push(...refuseFields(Cluster_CustomClusterTypeSchema, specifier.value, fields, PATH));
  return decodeExtension([AGGREGATE], { name, any, path: PATH }, issues) ?? [];
}
