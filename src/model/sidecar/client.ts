import { memoise } from "../../base/memo.ts";
import type { Labels } from "../labels.ts";
import type { Mesh } from "../mesh.ts";
import type { MeshSettings } from "../mesh-settings.ts";
import { compareText } from "../origin.ts";
import type { ProxyNode } from "../proxy.ts";
import type { Scope } from "../scope.ts";
import { isPortable, OWN_ADDRESS, wildcardAddresses } from "./service-address.ts";

/**
 * A sidecar without what makes it one of many: its name, its own address, its place, and labels
 * that nobody asks for. What is made for it is for all sidecars that have the same client, which
 * is the same value then. Its only addresses are those that stand for its families.
 */
export function clientOf(mesh: Mesh, scope: Scope, proxy: ProxyNode): ProxyNode {
  const client: ProxyNode = {
    ...proxy,
    labels: labelsAskedFor(mesh, scope, proxy.labels),
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
  return shared(scope.settings, JSON.stringify(client));
}

const NOWHERE: ProxyNode["locality"] = { region: "", zone: "", subzone: "" };

const shared = memoise(
  (_mesh: MeshSettings, text: string): ProxyNode => JSON.parse(text) as ProxyNode,
);

function labelsAskedFor(mesh: Mesh, scope: Scope, labels: Labels): Labels {
  const keys = labelKeys(mesh.destinationRules, scope);
  return Object.fromEntries(
    Object.entries(labels)
      .filter(([key]) => keys.has(key))
      .sort(([a], [b]) => compareText(a, b)),
  );
}

/** The labels of clients that rules look at. */
const labelKeys = memoise(
  (rules: Mesh["destinationRules"], { virtualServices }: Scope): ReadonlySet<string> => {
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
  },
);
