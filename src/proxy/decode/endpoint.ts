import { type Address, PipeSchema } from "../../api/gen/envoy/config/core/v3/address_pb.js";
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
  ClusterLoadAssignment_PolicySchema,
  ClusterLoadAssignmentSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { Assignment, Endpoint } from "../cluster/cluster-config.ts";
import { decodeAddress } from "./address.ts";
import { decodeMetadata } from "./metadata.ts";

/** Envoy's default: hosts count as enough while 72 of 100 are healthy. */
const OVERPROVISIONING_PERCENT = 140;

/** An assignment without endpoints. */
export const EMPTY_ASSIGNMENT: Assignment = {
  name: "",
  endpoints: [],
  overprovisioningPercent: OVERPROVISIONING_PERCENT,
  staleAfterMs: 0,
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
  const fields = ["cluster_name", "endpoints", "policy"];
  issues.push(...refuseFields(ClusterLoadAssignmentSchema, message, fields, path));
  if (message.clusterName === "") {
    issues.push({ path: joinPath(path, "cluster_name"), message: "is missing" });
  }
  const endpoints = message.endpoints.flatMap((locality, at) =>
    decodeLocality(locality, joinPath(path, `endpoints[${at}]`), areIps, issues),
  );
  const { policy } = message;
  if (policy !== undefined) {
    const handled = ["overprovisioning_factor", "endpoint_stale_after"];
    const at = joinPath(path, "policy");
    issues.push(...refuseFields(ClusterLoadAssignment_PolicySchema, policy, handled, at));
  }
  return {
    name: message.clusterName,
    endpoints,
    overprovisioningPercent: policy?.overprovisioningFactor ?? OVERPROVISIONING_PERCENT,
    staleAfterMs: durationMs(policy?.endpointStaleAfter) ?? 0,
  };
}

function decodeLocality(
  message: LocalityLbEndpoints,
  path: string,
  areIps: boolean,
  issues: Issue[],
): Endpoint[] {
  // The weight of a locality counts only with `locality_weighted_lb_config`, which is refused;
  // its nearness never did.
  const fields = ["locality", "lb_endpoints", "load_balancing_weight", "metadata", "proximity"];
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
  const address = decodeHost(endpoint.address, joinPath(endpointPath, "address"), areIps, issues);
  if (address === undefined) return undefined;
  if (message.healthStatus === HealthStatus.DEGRADED) {
    issues.push({
      path: joinPath(path, "health_status"),
      message: "DEGRADED is not supported yet",
    });
  }
  return {
    ...address,
    weight: Math.max(1, message.loadBalancingWeight ?? 1),
    isHealthy:
      message.healthStatus === HealthStatus.UNKNOWN ||
      message.healthStatus === HealthStatus.HEALTHY,
    hostname: endpoint.hostname,
    metadata: decodeMetadata(message.metadata, joinPath(path, "metadata"), issues),
  };
}

/** An IP address or a name with its port, or the path of a Unix socket. */
function decodeHost(
  message: Address | undefined,
  path: string,
  areIps: boolean,
  issues: Issue[],
): Pick<Endpoint, "address" | "port"> | undefined {
  if (message?.address.case === "pipe") {
    const pipe = message.address.value;
    const at = joinPath(path, "pipe");
    issues.push(...refuseFields(PipeSchema, pipe, ["path"], at));
    if (!areIps) issues.push({ path: at, message: "has no name to resolve" });
    if (!pipe.path.startsWith("/")) {
      const what = `"${pipe.path}" is not supported yet, only paths that begin with "/"`;
      issues.push({ path: joinPath(at, "path"), message: what });
    }
    return { address: pipe.path, port: 0 };
  }
  const address = decodeAddress(message, path, issues);
  if (address === undefined) return undefined;
  if (areIps && !isIPv4(address.host) && !isIPv6(address.host)) {
    issues.push({ path, message: `malformed IP address: ${address.host}` });
  }
  return { address: address.host, port: address.port };
}
