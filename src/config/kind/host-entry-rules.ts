import { isIP } from "node:net";
import type { Issue } from "../../base/issue.ts";
import { isDnsLabel } from "../format.ts";
import { checkWildcardDomain } from "../host.ts";

/** Where a `namespace/host` entry stands: what is allowed differs. */
export type HostEntryOwner = "gateway" | "sidecar";

/**
 * A host of a Gateway's server (`host` or `namespace/host`) or of a Sidecar's egress listener
 * (`namespace/host`). A namespace is a name, `*` or `.`; for a Sidecar also `~`, which takes away,
 * alone or before a name.
 */
export function checkHostEntry(
  text: string,
  path: string,
  owner: HostEntryOwner,
): readonly Issue[] {
  const slash = text.indexOf("/");
  if (slash === -1) {
    if (owner === "gateway") return checkHost(text, path, owner);
    return [{ path, message: `must be <namespace>/<host>, like "./*" or "*/*": got "${text}"` }];
  }
  const namespace = text.slice(0, slash);
  const host = text.slice(slash + 1);
  if (namespace === "" || host === "") {
    const message = `must be <namespace>/<host>, both not empty: got "${text}"`;
    return [{ path, message }];
  }
  return [
    ...(isNamespaceEntry(namespace, owner)
      ? []
      : [{ path, message: `must begin with a namespace, "*" or ".": got "${text}"` }]),
    ...checkHost(host, path, owner),
  ];
}

function isNamespaceEntry(namespace: string, owner: HostEntryOwner): boolean {
  if (namespace === "*" || namespace === "." || isDnsLabel(namespace)) return true;
  if (owner === "gateway") return false;
  return namespace === "~" || (namespace.startsWith("~") && isDnsLabel(namespace.slice(1)));
}

function checkHost(host: string, path: string, owner: HostEntryOwner): readonly Issue[] {
  // A gateway may be called by its address.
  if (host === "*" || (owner === "gateway" && isIP(host) !== 0)) return [];
  if (!host.includes(".")) {
    return [{ path, message: `must be a whole DNS name with its domain: got "${host}"` }];
  }
  const wrong = checkWildcardDomain(host);
  if (wrong !== undefined) return [{ path, message: wrong }];
  if (!host.includes("*") || host.startsWith("*.")) return [];
  return [{ path, message: `must have "*" only as its whole first label: got "${host}"` }];
}
