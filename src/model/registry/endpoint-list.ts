import type { Endpoint, ServiceEndpoints } from "../endpoint.ts";
import { compareText } from "../origin.ts";
import type { Workload } from "../workload.ts";

/** An endpoint, and the port of the service that it is for. */
export interface PortEndpoint {
  readonly portName: string;
  readonly endpoint: Endpoint;
}

/**
 * Groups endpoints by port, sorted. An address that is listed twice (while it moves from one slice
 * to another, say) counts once, as it is listed last.
 */
export function collectEndpoints(all: readonly PortEndpoint[]): ServiceEndpoints {
  const byPort = new Map<string, Map<string, Endpoint>>();
  for (const { portName, endpoint } of all) {
    const list = byPort.get(portName) ?? new Map<string, Endpoint>();
    list.set(`${endpoint.address} ${endpoint.port}`, endpoint);
    byPort.set(portName, list);
  }
  return new Map(
    [...byPort].map(([name, list]) => [name, [...list.values()].sort(compareEndpoints)]),
  );
}

function compareEndpoints(a: Endpoint, b: Endpoint): number {
  return compareText(a.address, b.address) || a.port - b.port;
}

/** The endpoint that a workload is on a port of an address of its own. */
export function workloadEndpoint(workload: Workload, address: string, port: number): Endpoint {
  const { namespace, serviceAccount } = workload;
  return {
    address,
    port,
    locality: workload.locality,
    network: workload.network,
    weight: workload.weight,
    labels: workload.labels,
    health: "healthy",
    isMutualTls: workload.isMutualTls,
    serviceAccount: `${namespace}/${serviceAccount}`,
    nodeName: workload.nodeName,
    hostname: "",
    workload,
  };
}
