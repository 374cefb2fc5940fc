import {
  type Endpoint_HealthCheckConfig,
  Endpoint_HealthCheckConfigSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { EndpointHealthCheck, HostAddress } from "../cluster/cluster-config.ts";
import { decodeHost } from "./host-address.ts";

const FIELDS = ["port_value", "hostname", "address", "disable_active_health_check"];

/** Decodes how one host is checked; `host` is its own address. */
export function decodeEndpointHealth(
  message: Endpoint_HealthCheckConfig | undefined,
  host: HostAddress,
  path: string,
  issues: Issue[],
): EndpointHealthCheck | undefined {
  if (message === undefined) return undefined;
  issues.push(...refuseFields(Endpoint_HealthCheckConfigSchema, message, FIELDS, path));
  const addressPath = joinPath(path, "address");
  const address = message.address && decodeHost(message.address, addressPath, true, issues);
  const port = message.portValue;
  if (port !== 0 && (address ?? host).address.startsWith("/")) {
    const what = "Invalid host configuration: non-zero port for non-IP address";
    issues.push({ path: joinPath(path, "port_value"), message: what });
  }
  return {
    port,
    hostname: message.hostname,
    address,
    isDisabled: message.disableActiveHealthCheck,
  };
}
