import { parseDurationMs } from "../../base/duration.ts";
import type { Issue } from "../../base/issue.ts";
import type { CorsPolicy } from "../http-route.ts";
import { validateCorsName } from "./header-rules.ts";
import { validateRegex } from "./http-match-rules.ts";

const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "*",
];

/** `http[].corsPolicy`. */
export function validateCorsPolicy(policy: CorsPolicy | undefined, path: string): readonly Issue[] {
  if (policy === undefined) return [];
  const issues: Issue[] = [];
  for (const [at, origin] of (policy.allowOrigins ?? []).entries()) {
    const where = `${path}.allowOrigins[${at}]`;
    const { exact = "", prefix = "", regex = "" } = origin;
    if (`${exact}${prefix}${regex}` === "") {
      const message = 'must have exactly one of "exact", "prefix", "regex", and not empty';
      issues.push({ path: where, message });
    } else {
      issues.push(...validateRegex(origin, where));
    }
  }
  for (const [at, method] of (policy.allowMethods ?? []).entries()) {
    if (METHODS.includes(method)) continue;
    const message = `must be one of ${METHODS.join(", ")}: got ${JSON.stringify(method)}`;
    issues.push({ path: `${path}.allowMethods[${at}]`, message });
  }
  for (const field of ["allowHeaders", "exposeHeaders"] as const) {
    for (const [at, name] of (policy[field] ?? []).entries()) {
      issues.push(...validateCorsName(name, `${path}.${field}[${at}]`));
    }
  }
  const { maxAge } = policy;
  if (maxAge !== undefined && (parseDurationMs(maxAge) ?? 0) % 1000 !== 0) {
    issues.push({ path: `${path}.maxAge`, message: `must be whole seconds: got "${maxAge}"` });
  }
  return issues;
}
