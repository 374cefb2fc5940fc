import { HealthStatus } from "../../api/gen/envoy/config/core/v3/health_check_pb.js";
import {
  EndpointSchema,
  type LbEndpoint,
  LbEndpointSchema,
  type LocalityLbEndpoints,
  LocalityLbEndpointsSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { Assignment, Endpoint } from "../cluster/cluster-config.ts";
import { decodeAddress } from "./address.ts";

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
  const fields = ["cluster_name", "endpoints"];
  issues.push(...refuseFields(ClusterLoadAssignmentSchema, message, fields, path));
  if (message.clusterName === "") {
    issues.push({ path: joinPath(path, "cluster_name"), message: "is missing" });
  }
  const endpoints = message.endpoints.flatMap((locality, at) =>
    decodeLocality(locality, joinPath(path, `endpoints[${at}]`), areIps, issues),
  );
  return { name: message.clusterName, endpoints };
}

function decodeLocality(
  message: LocalityLbEndpoints,
  path: string,
  areIps: boolean,
  issues: Issue[],
): Endpoint[] {
  // The weight of a locality counts only with `locality_weighted_lb_config`, which is refused.
  const fields = ["locality", "lb_endpoints", "load_balancing_weight", "metadata"];
  issues.push(...refuseFields(LocalityLbEndpointsSchema, message, fields, path));
  const { region = "", zone = "", subZone = "" } = message.locality ?? {};
  return message.lbEndpoints.flatMap((endpoint, at) => {
    const decoded = decodeEndpoint(endpoint, joinPath(path, `lb_endpoints[${at}]`), areIps, issues);
    return decoded === undefined ? [] : [{ ...decoded, region, zone, subZone }];
  });
}

function decodeEndpoint(
  message: LbEndpoint,
  path: string,
  areIps: boolean,
  issues: Issue[],
): Omit<Endpoint, "region" | "zone" | "subZone"> | undefined {
  const fields = ["endpoint", "health_status", "metadata", "load_balancing_weight"];
  issues.push(...refuseFields(LbEndpointSchema, message, fields, path));
  if (message.hostIdentifier.case !== "endpoint") {
    issues.push({ path: joinPath(path, "endpoint"), message: "is missing" });
    return undefined;
  }
  const endpoint = message.hostIdentifier.value;
  const endpointPath = joinPath(path, "endpoint");
  issues.push(...refuseFields(EndpointSchema, endpoint, ["address", "hostname"], endpointPath));
  const addressPath = joinPath(endpointPath, "address");
  const address = decodeAddress(endpoint.address, addressPath, issues);
  if (address === undefined) return undefined;
  if (areIps && !isIPv4(address.host) && !isIPv6(address.host)) {
    issues.push({ path: addressPath, message: `malformed IP address: ${address.host}` });
  }
  if (message.healthStatus === HealthStatus.DEGRADED) {
    issues.push({
      path: joinPath(path, "health_status"),
      message: "DEGRADED is not supported yet",
    });
  }
  return {
    address: address.host,
    port: address.port,
    weight: Math.max(1, message.loadBalancingWeight ?? 1),
    isHealthy:
      message.healthStatus === HealthStatus.UNKNOWN ||
      message.healthStatus === HealthStatus.HEALTHY,
    hostname: endpoint.hostname,
  };
}
