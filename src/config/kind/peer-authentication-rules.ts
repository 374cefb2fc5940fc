import type { Issue } from "../../base/issue.ts";
import type { PeerAuthentication } from "../peer-authentication.ts";
import { validateSelector } from "./selector-rules.ts";

/** What Istio's webhook refuses about a PeerAuthentication beyond its schema. */
export function validatePeerAuthentication({ spec }: PeerAuthentication): readonly Issue[] {
  const { selector, portLevelMtls } = spec ?? {};
  const issues: Issue[] =
    selector === undefined
      ? []
      : [...validateSelector(selector.matchLabels, "spec.selector.matchLabels")];
  if (portLevelMtls === undefined) return issues;
  if (Object.keys(selector?.matchLabels ?? {}).length === 0) {
    const message = "needs a spec.selector with labels: ports are those of workloads";
    issues.push({ path: "spec.portLevelMtls", message });
  }
  for (const port of Object.keys(portLevelMtls)) {
    if (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65_535) continue;
    const message = `must be the number of a port, 1 to 65535: got "${port}"`;
    issues.push({ path: `spec.portLevelMtls[${port}]`, message });
  }
  return issues;
}
