import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { checkDomain, isHostLabel } from "../host.ts";
import type { MeshNetworks } from "../mesh-networks.ts";
import { checkPortNumber, checkSubnet } from "./port-rules.ts";

/** What Istio refuses about MeshNetworks beyond their schema. */
export function validateMeshNetworks({ networks = {} }: MeshNetworks): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [name, { endpoints = [], gateways = [] }] of Object.entries(networks)) {
    for (const [at, { fromCidr, fromRegistry }] of endpoints.entries()) {
      const path = `networks[${name}].endpoints[${at}]`;
      if (fromCidr !== undefined) issues.push(...checkSubnet(fromCidr, `${path}.fromCidr`));
      if (fromRegistry !== undefined && !isHostLabel(fromRegistry)) {
        const message = `must be the name of a registry: got "${fromRegistry}"`;
        issues.push({ path: `${path}.fromRegistry`, message });
      }
    }
    for (const [at, { registryServiceName, address, port = 0 }] of gateways.entries()) {
      const path = `networks[${name}].gateways[${at}]`;
      issues.push(...checkPortNumber(port, `${path}.port`));
      if (registryServiceName !== undefined) {
        issues.push(...checkName(registryServiceName, `${path}.registryServiceName`));
      }
      if (address !== undefined && isIP(address) === 0) {
        issues.push(...checkName(address, `${path}.address`));
      }
    }
  }
  return issues;
}

function checkName(name: string, path: string): readonly Issue[] {
  const wrong = checkDomain(name);
  return wrong === undefined ? [] : [{ path, message: wrong }];
}
