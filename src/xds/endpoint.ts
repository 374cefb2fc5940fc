import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { HealthStatus } from "../api/gen/envoy/config/core/v3/health_check_pb.js";
import type { LbEndpointSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import { ClusterLoadAssignmentSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import type { ClusterEndpoints } from "../model/cluster.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { compareText } from "../model/origin.ts";
import type { Workload } from "../model/workload.ts";
import { encodeResource } from "./resource.ts";
import type { XdsResource } from "./snapshot.ts";
import { socketAddress } from "./wire.ts";

/** The only cluster there is, until there are several. */
const CLUSTER_ID = "Kubernetes";

/** Who answers for a cluster now; an empty assignment says that nobody does. */
export function encodeEndpoints({
  clusterName: name,
  endpoints,
  origins,
}: ClusterEndpoints): XdsResource {
  const message = create(ClusterLoadAssignmentSchema, {
    clusterName: name,
    endpoints: [...byZone(endpoints)].map(([zone, members]) => ({
      locality: { zone },
      lbEndpoints: members.map(lbEndpoint),
      // A zone weighs as much as its endpoints together.
      loadBalancingWeight: members.length,
    })),
  });
  return encodeResource(ClusterLoadAssignmentSchema, message, { name, origins });
}

function byZone(endpoints: readonly Endpoint[]): ReadonlyMap<string, readonly Endpoint[]> {
  const zones = new Map<string, Endpoint[]>();
  for (const endpoint of [...endpoints].sort((a, b) =>
    compareText(a.locality.zone, b.locality.zone),
  )) {
    const members = zones.get(endpoint.locality.zone);
    if (members === undefined) zones.set(endpoint.locality.zone, [endpoint]);
    else members.push(endpoint);
  }
  return zones;
}

function lbEndpoint({
  address,
  port,
  workload,
}: Endpoint): MessageInitShape<typeof LbEndpointSchema> {
  return {
    hostIdentifier: { case: "endpoint", value: { address: socketAddress(address, port) } },
    healthStatus: HealthStatus.HEALTHY,
    loadBalancingWeight: 1,
    ...(workload === undefined
      ? {}
      : { metadata: { filterMetadata: { istio: { workload: workloadText(workload) } } } }),
  };
}

/** Istio's form, which telemetry takes apart again. */
function workloadText(workload: Workload): string {
  const { workloadName, namespace, canonicalName, canonicalRevision } = workload;
  return [workloadName, namespace, canonicalName, canonicalRevision, CLUSTER_ID].join(";");
}
