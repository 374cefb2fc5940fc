import type { Issue } from "../../base/issue.ts";
import { checkHeaderText } from "../header-value.ts";
import type { ConsistentHash, LoadBalancerSettings, Warmup } from "../load-balancer.ts";
import { validateLocalityLbSetting } from "./locality-lb-rules.ts";

/** Envoy's limit. */
const MAGLEV_SIZE_MAX = 5_000_011;
/** Envoy's limit; it takes no ring that is larger. */
const RING_SIZE_MAX = 8_388_608;

/** `loadBalancer` of a policy that has outlier detection, or has none. */
export function validateLoadBalancer(
  settings: LoadBalancerSettings | undefined,
  path: string,
  hasOutlierDetection: boolean,
): readonly Issue[] {
  if (settings === undefined) return [];
  const { consistentHash, localityLbSetting, warmup, warmupDurationSecs } = settings;
  const issues: Issue[] = [];
  if (warmup !== undefined && warmupDurationSecs !== undefined) {
    const message = "has no effect beside warmup";
    issues.push({ path: `${path}.warmupDurationSecs`, message, severity: "warning" });
  }
  return [
    ...issues,
    ...(consistentHash === undefined
      ? []
      : validateConsistentHash(consistentHash, `${path}.consistentHash`)),
    ...validateLocalityLbSetting(
      localityLbSetting,
      `${path}.localityLbSetting`,
      hasOutlierDetection,
    ),
    ...(warmup === undefined ? [] : validateWarmup(warmup, `${path}.warmup`)),
  ];
}

function validateConsistentHash(hash: ConsistentHash, path: string): readonly Issue[] {
  const { httpCookie, minimumRingSize = 0, ringHash, maglev } = hash;
  const issues: Issue[] = [];
  if (httpCookie?.name === "") {
    issues.push({ path: `${path}.httpCookie.name`, message: "must not be empty" });
  }
  for (const field of ["name", "path"] as const) {
    // A proxy refuses all of its routes for one such cookie.
    const wrong = checkHeaderText(httpCookie?.[field] ?? "");
    if (wrong !== undefined) issues.push({ path: `${path}.httpCookie.${field}`, message: wrong });
  }
  if (minimumRingSize !== 0) {
    const where = `${path}.minimumRingSize`;
    const message = "is deprecated, use ringHash.minimumRingSize";
    issues.push({ path: where, message, severity: "warning" });
    if (ringHash !== undefined || maglev !== undefined) {
      issues.push({ path: where, message: "must not stand beside ringHash or maglev" });
    }
  }
  for (const [where, size] of [
    [`${path}.minimumRingSize`, minimumRingSize],
    [`${path}.ringHash.minimumRingSize`, ringHash?.minimumRingSize ?? 0],
  ] as const) {
    if (size <= RING_SIZE_MAX) continue;
    issues.push({ path: where, message: `must be at most ${RING_SIZE_MAX}: got ${size}` });
  }
  if (maglev !== undefined) issues.push(...validateMaglev(maglev, `${path}.maglev.tableSize`));
  return issues;
}

function validateMaglev(
  { tableSize }: NonNullable<ConsistentHash["maglev"]>,
  path: string,
): readonly Issue[] {
  if (tableSize === undefined) return [{ path, message: "is required" }];
  if (tableSize < MAGLEV_SIZE_MAX && isPrime(tableSize)) return [];
  const message = `must be a prime number below ${MAGLEV_SIZE_MAX}, such as 65537: got ${tableSize}`;
  return [{ path, message }];
}

/** As Envoy has it, which counts 1 as prime. Only asked about numbers that are not large. */
function isPrime(number: number): boolean {
  if (number > 0 && number < 4) return true;
  if (number % 2 === 0) return false;
  for (let factor = 3; factor * factor <= number; factor += 2) {
    if (number % factor === 0) return false;
  }
  return true;
}

function validateWarmup({ aggression = 1 }: Warmup, path: string): readonly Issue[] {
  if (aggression >= 1) return [];
  return [{ path: `${path}.aggression`, message: `must be at least 1: got ${aggression}` }];
}
