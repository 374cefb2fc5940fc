import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { HealthStatus } from "../api/gen/envoy/config/core/v3/health_check_pb.js";
import type {
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
} from "../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import { ClusterLoadAssignmentSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { memoise } from "../base/memo.ts";
import type { ClusterEndpoints, EndpointGroup } from "../model/cluster.ts";
import type { Endpoint, Locality } from "../model/endpoint.ts";
import type { Workload } from "../model/workload.ts";
import { encodeResource } from "./resource.ts";
import type { XdsResource } from "./snapshot.ts";
import { endpointAddress } from "./wire.ts";

/** The only cluster there is, until there are several. */
const CLUSTER_ID = "Kubernetes";

type LocalityEndpoints = MessageInitShape<typeof LocalityLbEndpointsSchema>;
type LbEndpoint = MessageInitShape<typeof LbEndpointSchema>;

/** Who answers for a cluster now; an empty assignment says that nobody does. */
export function encodeEndpoints({ clusterName, groups, origins }: ClusterEndpoints): XdsResource {
  const message = create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: localityEndpoints(groups),
  });
  return encodeResource(ClusterLoadAssignmentSchema, message, { name: clusterName, origins });
}

/** Groups of endpoints, each with its locality, priority and weight. */
export function localityEndpoints(groups: readonly EndpointGroup[]): LocalityEndpoints[] {
  return groups.map(({ locality, priority, weight, endpoints }) => ({
    locality: localityFields(locality),
    lbEndpoints: endpoints.map((endpoint) => lbEndpoint(endpoint)),
    loadBalancingWeight: weight,
    priority,
  }));
}

/** Endpoints of which nothing counts but the address. */
export function plainEndpoints(endpoints: readonly Endpoint[]): LocalityEndpoints[] {
  return endpoints.map(({ address, port }) => ({
    lbEndpoints: [
      {
        hostIdentifier: {
          case: "endpoint",
          value: { address: endpointAddress(address, port) },
        } as const,
      },
    ],
  }));
}

function localityFields({ region, zone, subzone }: Locality): LocalityEndpoints["locality"] {
  return { region, zone, subZone: subzone };
}

const HEALTH: Readonly<Record<Endpoint["health"], HealthStatus>> = {
  healthy: HealthStatus.HEALTHY,
  unhealthy: HealthStatus.UNHEALTHY,
  draining: HealthStatus.DRAINING,
};

const lbEndpoint = memoise(
  (endpoint: Endpoint): LbEndpoint => ({
    hostIdentifier: {
      case: "endpoint",
      value: { address: endpointAddress(endpoint.address, endpoint.port) },
    },
    healthStatus: HEALTH[endpoint.health],
    loadBalancingWeight: endpoint.weight,
    ...metadata(endpoint),
  }),
);

/** Who it is, for telemetry; and that it takes Istio's mutual TLS, for the choice of transport. */
function metadata({ workload, isMutualTls }: Endpoint): Pick<LbEndpoint, "metadata"> {
  if (workload === undefined && !isMutualTls) return {};
  return {
    metadata: {
      filterMetadata: {
        ...(isMutualTls && { "envoy.transport_socket_match": { tlsMode: "istio" } }),
        ...(workload !== undefined && { istio: { workload: workloadText(workload) } }),
      },
    },
  };
}

/** Istio's form, which telemetry takes apart again. */
function workloadText(workload: Workload): string {
  const { workloadName, namespace, canonicalName, canonicalRevision } = workload;
  return [workloadName, namespace, canonicalName, canonicalRevision, CLUSTER_ID].join(";");
}
