import type { Labels } from "../labels.ts";
import type { Mesh } from "../mesh.ts";
import { compareText } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Scope } from "../scope.ts";
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
    name: "",
    nodeName: "",
    serviceAccount: "",
    locality: NOWHERE,
    hostPorts: [],
    calledHosts: [],
  };
  return JSON.stringify(client);
}

const NOWHERE: ProxyNode["locality"] = { region: "", zone: "", subzone: "" };

/** The labels of clients that rules look at. */
export function labelsAskedFor(
  rules: Mesh["destinationRules"],
  virtualServices: Scope["virtualServices"],
): ReadonlySet<string> {
  const keys = new Set<string>();
  const add = (labels: Labels | undefined): void => {
    for (const key of Object.keys(labels ?? {})) keys.add(key);
  };
  for (const { selector } of rules) add(selector);
  for (const { rules: http, tlsRules, tcpRules } of virtualServices) {
    for (const { matches } of [...http, ...tlsRules, ...tcpRules]) {
      for (const { sourceLabels } of matches) add(sourceLabels);
    }
  }
  return keys;
}
