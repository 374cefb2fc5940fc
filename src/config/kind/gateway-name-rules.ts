import type { Issue } from "../../base/issue.ts";
import { checkDomain, isHostLabel } from "../host.ts";

/** Names of gateways: `name`, `namespace/name`, or `mesh`. */
export function validateGatewayNames(
  names: readonly string[] | undefined,
  path: string,
): readonly Issue[] {
  return (names ?? []).flatMap((name, at): readonly Issue[] => {
    const where = `${path}[${at}]`;
    const parts = name.split("/");
    if (parts.length === 1) {
      const wrong = checkDomain(name);
      if (wrong !== undefined) return [{ path: where, message: wrong }];
      if (!name.includes(".")) return [];
      const message = `"${name}" is the legacy form, prefer <namespace>/<name>`;
      return [{ path: where, message, severity: "warning" }];
    }
    if (parts.length === 2 && parts.every(isHostLabel)) return [];
    return [{ path: where, message: `must be <name> or <namespace>/<name>: got "${name}"` }];
  });
}
