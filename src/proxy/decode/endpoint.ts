import { HealthStatus } from "../../api/gen/envoy/config/core/v3/health_check_pb.js";
import {
  type Endpoint_AdditionalAddress as AdditionalAddress,
  Endpoint_AdditionalAddressSchema as AdditionalAddressSchema,
  EndpointSchema,
  type LbEndpoint,
  LbEndpointSchema,
  type LocalityLbEndpoints,
  LocalityLbEndpointsSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignment_PolicySchema,
  ClusterLoadAssignmentSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { shortAddress } from "../../base/ip.ts";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { OVERPROVISIONING_PERCENT } from "../cluster/cluster.ts";
import type {
  Assignment,
  EdsHealth,
  Endpoint,
  HostAddress,
  Locality,
} from "../cluster/cluster-config.ts";
import { decodeAddress, refuseName } from "./address.ts";
import { decodeDropOverloads } from "./drop-overload.ts";
import { decodeEndpointHealth } from "./endpoint-health.ts";
import { decodeHost } from "./host-address.ts";
import { decodeMetadata } from "./metadata.ts";

/** An assignment without endpoints. */
export const EMPTY_ASSIGNMENT: Assignment = {
  name: "",
  endpoints: [],
  overprovisioningPercent: OVERPROVISIONING_PERCENT,
  weighsPriorityHealth: false,
  staleAfterMs: 0,
  dropShare: 0,
};

/**
 * Decodes a load assignment. `areIps`: every address must be one, as in an EDS response; names
 * are only for clusters that resolve them.
 */
export function decodeAssignment(
  message: ClusterLoadAssignment,
  path: string,
  areIps: boolean,
  issues: Issue[],
): Assignment {
  const endpoints = message.endpoints.flatMap((locality, at) => {
    const localityPath = joinPath(path, `endpoints[${at}]`);
    const place = decodePlace(locality, localityPath, issues);
    return locality.lbEndpoints.flatMap((endpoint, index) => {
      const endpointPath = joinPath(localityPath, `lb_endpoints[${index}]`);
      const decoded = decodeEndpoint(endpoint, endpointPath, areIps, issues);
      return decoded === undefined ? [] : [{ ...decoded, ...place }];
    });
  });
  return { ...decodeAssignmentFrame(message, path, issues), endpoints };
}

/** Decodes what an assignment says of all its endpoints together. */
export function decodeAssignmentFrame(
  message: ClusterLoadAssignment,
  path: string,
  issues: Issue[],
): Omit<Assignment, "endpoints"> {
  const fields = ["cluster_name", "endpoints", "policy"];
  issues.push(...refuseFields(ClusterLoadAssignmentSchema, message, fields, path));
  if (message.clusterName === "") {
    issues.push({ path: joinPath(path, "cluster_name"), message: "is missing" });
  }
  const { policy } = message;
  const at = joinPath(path, "policy");
  if (policy !== undefined) {
    const handled = [
      "overprovisioning_factor",
      "weighted_priority_health",
      "endpoint_stale_after",
      "drop_overloads",
    ];
    issues.push(...refuseFields(ClusterLoadAssignment_PolicySchema, policy, handled, at));
  }
  return {
    name: message.clusterName,
    overprovisioningPercent: policy?.overprovisioningFactor ?? OVERPROVISIONING_PERCENT,
    weighsPriorityHealth: policy?.weightedPriorityHealth ?? false,
    staleAfterMs: durationMs(policy?.endpointStaleAfter) ?? 0,
    dropShare: decodeDropOverloads(
      policy?.dropOverloads ?? [],
      joinPath(at, "drop_overloads"),
      issues,
    ),
  };
}

/** What endpoints of one locality have in common. */
export type Place = Pick<Endpoint, "locality" | "priority">;

/** Decodes what is said of a locality, but for its endpoints. */
export function decodePlace(message: LocalityLbEndpoints, path: string, issues: Issue[]): Place {
  const fields = [
    "locality",
    "lb_endpoints",
    "load_balancing_weight",
    "priority",
    "metadata",
    // How near it is never counted, in Envoy neither.
    "proximity",
  ];
  issues.push(...refuseFields(LocalityLbEndpointsSchema, message, fields, path));
  const { region = "", zone = "", subZone = "" } = message.locality ?? {};
  // The weight of nothing in particular does not count, in Envoy neither.
  const weight = message.locality === undefined ? 0 : (message.loadBalancingWeight ?? 0);
  const locality: Locality = { region, zone, subZone, weight };
  return { locality, priority: message.priority };
}

/** Decodes one endpoint, wherever it stands; `undefined` after an issue. */
export function decodeEndpoint(
  message: LbEndpoint,
  path: string,
  areIps: boolean,
  issues: Issue[],
): Omit<Endpoint, keyof Place> | undefined {
  const fields = ["endpoint", "health_status", "metadata", "load_balancing_weight"];
  issues.push(...refuseFields(LbEndpointSchema, message, fields, path));
  if (message.hostIdentifier.case !== "endpoint") {
    issues.push({ path: joinPath(path, "endpoint"), message: "is missing" });
    return undefined;
  }
  const endpoint = message.hostIdentifier.value;
  const endpointPath = joinPath(path, "endpoint");
  // Names have the addresses that they resolve to, and no others.
  const always = ["address", "hostname", "health_check_config"];
  const endpointFields = areIps ? [...always, "additional_addresses"] : always;
  issues.push(...refuseFields(EndpointSchema, endpoint, endpointFields, endpointPath));
  const address = decodeHost(endpoint.address, joinPath(endpointPath, "address"), areIps, issues);
  if (address === undefined) return undefined;
  const checkPath = joinPath(endpointPath, "health_check_config");
  return {
    ...address,
    weight: Math.max(1, message.loadBalancingWeight ?? 1),
    // One that is not known breaks a rule of the .proto file, which is checked after.
    health: EDS_HEALTH[message.healthStatus] ?? "UNKNOWN",
    hostname: endpoint.hostname,
    metadata: decodeMetadata(message.metadata, joinPath(path, "metadata"), issues),
    additionalAddresses: decodeAdditional(endpoint.additionalAddresses, endpointPath, issues),
    healthCheck: decodeEndpointHealth(endpoint.healthCheckConfig, address, checkPath, issues),
  };
}

/** Where else the same host can be reached: IP addresses only, as in Envoy. */
function decodeAdditional(
  messages: readonly AdditionalAddress[],
  path: string,
  issues: Issue[],
): readonly HostAddress[] {
  return messages.flatMap((message, at) => {
    const own = joinPath(path, `additional_addresses[${at}]`);
    issues.push(...refuseFields(AdditionalAddressSchema, message, ["address"], own));
    const addressPath = joinPath(own, "address");
    const address = decodeAddress(message.address, addressPath, issues);
    if (address === undefined) return [];
    refuseName(address, addressPath, issues);
    return [{ address: shortAddress(address.host), port: address.port }];
  });
}

/** Words of discovery for what a host is good for. */
export const EDS_HEALTH: Readonly<Record<HealthStatus, EdsHealth>> = {
  [HealthStatus.UNKNOWN]: "UNKNOWN",
  [HealthStatus.HEALTHY]: "HEALTHY",
  [HealthStatus.UNHEALTHY]: "UNHEALTHY",
  [HealthStatus.DRAINING]: "DRAINING",
  [HealthStatus.TIMEOUT]: "TIMEOUT",
  [HealthStatus.DEGRADED]: "DEGRADED",
};
