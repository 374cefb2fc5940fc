import { memoise } from "../../base/memo.ts";
import type { Endpoint, ServiceEndpoints } from "../endpoint.ts";
import { modeOfPort, mutualTlsOf, type PeerAuthentication } from "../peer-authentication.ts";

const NO_POLICIES: readonly PeerAuthentication[] = [];

/** All policies if some of them lets workloads take plain text only, else none: few meshes have such. */
export const disablingOnly = memoise(
  (policies: readonly PeerAuthentication[]): readonly PeerAuthentication[] =>
    policies.some(isDisabling) ? policies : NO_POLICIES,
);

function isDisabling({ mode, ports }: PeerAuthentication): boolean {
  return mode === "DISABLE" || [...ports.values()].includes("DISABLE");
}

/**
 * The endpoints of a service, of which those that a PeerAuthentication lets take plain text only take
 * no mutual TLS, whatever their proxies could. The same value where no policy says so.
 */
export function mutualTlsEndpoints(
  endpoints: ServiceEndpoints,
  disabling: readonly PeerAuthentication[],
  rootNamespace: string,
): ServiceEndpoints {
  return disabling.length === 0 ? endpoints : ofService(endpoints, disabling, rootNamespace);
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
