import { memoise } from "../../base/memo.ts";
import { NO_LOCALITY } from "../endpoint.ts";
import type { Labels } from "../labels.ts";
import type { Mesh } from "../mesh.ts";
import { compareText } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Scope } from "../scope.ts";
import type { VirtualService } from "../virtual-service.ts";
import { isPortable, OWN_ADDRESS, wildcardAddresses } from "./service-address.ts";

/**
 * A sidecar as JSON, without what makes it one of many: its name, its own address, its place, and
 * labels that nobody asks for. What is made for it is for all sidecars with the same text. Its only
 * addresses are those that stand for its families.
 */
export function clientText(proxy: ProxyNode, labelKeys: ReadonlySet<string>): string {
  const client: ProxyNode = {
    ...proxy,
    labels: Object.fromEntries(
      Object.entries(proxy.labels)
        .filter(([key]) => labelKeys.has(key))
        .sort(([a], [b]) => compareText(a, b)),
    ),
    ip: OWN_ADDRESS,
    ips: wildcardAddresses(proxy),
    appAddress: isPortable(proxy) ? OWN_ADDRESS : undefined,
    id: "",
    serviceCluster: "",
    annotations: {},
    workloadName: "",
    meshId: "",
    istioMinor: undefined,
    name: "",
    nodeName: "",
    serviceAccount: "",
    locality: NO_LOCALITY,
    hostPorts: [],
    calledHosts: [],
  };
  return JSON.stringify(client);
}

/** The labels of clients that rules look at. */
export function labelsAskedFor(
  rules: Mesh["destinationRules"],
  virtualServices: Scope["virtualServices"],
): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { selector } of rules) {
    if (selector !== undefined) for (const key of Object.keys(selector)) keys.add(key);
  }
  for (const one of virtualServices) for (const key of sourceLabelKeys(one)) keys.add(key);
  return keys;
}

const sourceLabelKeys = memoise(
  ({ rules: http, tlsRules, tcpRules }: VirtualService): readonly string[] =>
    [...http, ...tlsRules, ...tcpRules].flatMap(({ matches }) => keysOf(matches)),
);

function keysOf(matches: readonly { readonly sourceLabels?: Labels }[]): readonly string[] {
  return matches.flatMap(({ sourceLabels }) => Object.keys(sourceLabels ?? {}));
}
