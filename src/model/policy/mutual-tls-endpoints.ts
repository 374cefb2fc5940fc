import { memoise } from "../../base/memo.ts";
import type { Endpoint, ServiceEndpoints } from "../endpoint.ts";
import { modeOfPort, mutualTlsOf, type PeerAuthentication } from "../peer-authentication.ts";

/**
 * The endpoints of all services, of which those that a PeerAuthentication lets take plain text only
 * take no mutual TLS, whatever their proxies could. The same value where no policy says so.
 */
export const mutualTlsEndpoints = memoise(
  (
    endpoints: ReadonlyMap<string, ServiceEndpoints>,
    policies: readonly PeerAuthentication[],
    rootNamespace: string,
  ): ReadonlyMap<string, ServiceEndpoints> => {
    if (!policies.some(isDisabling)) return endpoints;
    return new Map(
      [...endpoints].map(([id, ports]) => [id, ofService(ports, policies, rootNamespace)]),
    );
  },
);

function isDisabling({ mode, ports }: PeerAuthentication): boolean {
  return mode === "DISABLE" || [...ports.values()].includes("DISABLE");
}

const ofService = memoise(
  (
    ports: ServiceEndpoints,
    policies: readonly PeerAuthentication[],
    rootNamespace: string,
  ): ServiceEndpoints => {
    const isPlain = (endpoint: Endpoint): boolean => {
      const { workload, labels, port, isMutualTls } = endpoint;
      if (!isMutualTls || workload === undefined) return false;
      const target = { namespace: workload.namespace, labels };
      return modeOfPort(mutualTlsOf(policies, target, rootNamespace), port).mode === "DISABLE";
    };
    if (![...ports.values()].some((list) => list.some(isPlain))) return ports;
    return new Map(
      [...ports].map(([name, list]) => [
        name,
        list.map((endpoint) =>
          isPlain(endpoint) ? { ...endpoint, isMutualTls: false } : endpoint,
        ),
      ]),
    );
  },
);
