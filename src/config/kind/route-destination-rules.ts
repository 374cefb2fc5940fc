import type { Issue } from "../../base/issue.ts";
import type { Destination, PortSelector } from "../destination.ts";
import { checkWildcardDomain, isHostLabel } from "../host.ts";

const WEIGHT_SUM_MAX = 4_294_967_295;
const PORT_MAX = 65_535;

/** A port number where 0 stands for "none". */
export function validateOptionalPort(port: number | undefined, path: string): readonly Issue[] {
  if (port === undefined || port <= PORT_MAX) return [];
  return [{ path, message: `must be between 1 and ${PORT_MAX}: got ${port}` }];
}

/** A port that must be said. */
export function validatePort(port: number | undefined, path: string): readonly Issue[] {
  if (port === undefined) return [{ path, message: "is required" }];
  if (port >= 1 && port <= PORT_MAX) return [];
  return [{ path, message: `must be between 1 and ${PORT_MAX}: got ${port}` }];
}

/** A `PortSelector`, which must have its number. */
export function validatePortSelector(
  selector: PortSelector | undefined,
  path: string,
): readonly Issue[] {
  return selector === undefined ? [] : validatePort(selector.number, `${path}.number`);
}

/** The host, the subset and the port of a destination. */
export function validateDestination(
  { host, subset, port }: Destination,
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  const wrong = host === "*" ? 'must name a service: got "*"' : checkWildcardDomain(host);
  if (wrong !== undefined) issues.push({ path: `${path}.host`, message: wrong });
  if (subset !== undefined && subset !== "" && !isHostLabel(subset)) {
    issues.push({ path: `${path}.subset`, message: `must be a DNS label: got "${subset}"` });
  }
  return [...issues, ...validatePortSelector(port, `${path}.port`)];
}

/** The destinations of one rule with their weights. */
export function validateDestinations(
  route: readonly { readonly destination: Destination; readonly weight?: number }[],
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  let sum = 0;
  for (const [at, { destination, weight = 0 }] of route.entries()) {
    const where = `${path}[${at}]`;
    sum += weight;
    issues.push(...validateDestination(destination, `${where}.destination`));
    if (weight < 0) {
      issues.push({ path: `${where}.weight`, message: `must not be negative: got ${weight}` });
    }
  }
  if (route.length > 1 && sum === 0) {
    issues.push({ path, message: "the weights of several destinations must not all be 0" });
  } else if (sum > WEIGHT_SUM_MAX) {
    issues.push({ path, message: `the sum of the weights must be at most ${WEIGHT_SUM_MAX}` });
  }
  return issues;
}
