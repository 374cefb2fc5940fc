import type { Issue } from "../../base/issue.ts";
import type { HttpRoute } from "../http-route.ts";
import type { Percent } from "../percent.ts";
import { validateCorsPolicy } from "./cors-rules.ts";
import { validateFault } from "./fault-rules.ts";
import { validateAuthority, validateHeaders } from "./header-rules.ts";
import {
  validateDirectResponse,
  validateRedirect,
  validateRetries,
  validateRewrite,
} from "./http-action-rules.ts";
import { validateHttpMatch } from "./http-match-rules.ts";
import { validateDestination, validateDestinations } from "./route-destination-rules.ts";

/** One rule of `spec.http`; in a delegate, one without hosts, it may not delegate further. */
export function validateHttpRoute(
  route: HttpRoute,
  path: string,
  isDelegate: boolean,
): readonly Issue[] {
  const { headers } = route;
  return [
    ...(route.match ?? []).flatMap((one, at) => validateHttpMatch(one, `${path}.match[${at}]`)),
    ...validateAction(route, path, isDelegate),
    ...validateHeaders(headers, `${path}.headers`),
    ...validateCorsPolicy(route.corsPolicy, `${path}.corsPolicy`),
    ...validateFault(route.fault, `${path}.fault`),
    ...warnOfFreeDelay(route, path),
    ...validateMirrors(route, path),
    ...validateRedirect(route.redirect, `${path}.redirect`),
    ...validateDirectResponse(route.directResponse, `${path}.directResponse`),
    ...validateRetries(route.retries, `${path}.retries`),
    ...validateRewrite(route.rewrite, `${path}.rewrite`),
    ...validateAuthority(route.rewrite, headers, path),
    ...validateDestinations(route.route ?? [], `${path}.route`),
    ...(route.route ?? []).flatMap((one, at) =>
      validateHeaders(one.headers, `${path}.route[${at}].headers`),
    ),
  ];
}

const NO_ACTION =
  "HTTP route, redirect or direct_response is required: for a fixed answer, directResponse: {status: 404}";

/** Which of route, redirect, directResponse and delegate may stand beside which other field. */
function validateAction(route: HttpRoute, path: string, isDelegate: boolean): readonly Issue[] {
  const { delegate, redirect, directResponse, route: destinations = [] } = route;
  if (delegate !== undefined && !isDelegate) {
    return validateRoot(route, path);
  }
  const issues: Issue[] = [];
  if (delegate !== undefined) {
    const message = "a VirtualService without hosts is a delegate, and cannot delegate further";
    issues.push({ path: `${path}.delegate`, message });
  }
  for (const action of ["redirect", "directResponse"] as const) {
    if (route[action] === undefined) continue;
    issues.push(...refuseBeside(route, action, path));
  }
  if (redirect === undefined && directResponse === undefined && destinations.length === 0) {
    issues.push({ path: `${path}.route`, message: NO_ACTION });
  }
  return issues;
}

/** What the delegate says, the rule that delegates cannot say too. */
function validateRoot(route: HttpRoute, path: string): readonly Issue[] {
  const { name = "" } = route.delegate ?? {};
  const issues: Issue[] = [];
  for (const field of ["redirect", "route"] as const) {
    if (route[field] === undefined) continue;
    issues.push({ path: `${path}.${field}`, message: "must not stand beside delegate" });
  }
  if (name === "") {
    const message = "is empty: the rule goes to no VirtualService, and no request takes it";
    issues.push({ path: `${path}.delegate.name`, message, severity: "warning" });
  }
  return issues;
}

/** An answer of the proxy's own and what is only for requests that are forwarded. */
function refuseBeside(
  route: HttpRoute,
  action: "redirect" | "directResponse",
  path: string,
): readonly Issue[] {
  const issues: Issue[] = [];
  if ((route.route ?? []).length > 0) {
    issues.push({ path: `${path}.route`, message: `must not stand beside ${action}` });
  }
  for (const field of ["fault", "rewrite"] as const) {
    if (route[field] === undefined) continue;
    issues.push({ path: `${path}.${field}`, message: `must not stand beside ${action}` });
  }
  if (action === "directResponse" && route.redirect !== undefined) {
    issues.push({ path: `${path}.directResponse`, message: "must not stand beside redirect" });
  }
  return issues;
}

/** Faults stand before the router, where timeouts are counted from and tries begin. */
function warnOfFreeDelay({ fault, timeout, retries }: HttpRoute, path: string): readonly Issue[] {
  if (fault?.delay === undefined || (timeout === undefined && retries === undefined)) return [];
  const field = timeout === undefined ? "retries" : "timeout";
  const message = `is over before the rule's ${field} ${field === "timeout" ? "begins" : "begin"}: it is neither cut nor tried again`;
  return [{ path: `${path}.fault.delay`, message, severity: "warning" }];
}

function validateMirrors(route: HttpRoute, path: string): readonly Issue[] {
  const { mirror, mirrors = [] } = route;
  const issues: Issue[] = [];
  if (mirror !== undefined) {
    issues.push(...validateDestination(mirror, `${path}.mirror`));
    if (mirrors.length > 0) {
      issues.push({ path: `${path}.mirrors`, message: "must not stand beside mirror" });
    }
  }
  for (const field of ["mirrorPercent", "mirror_percent"] as const) {
    const value = route[field];
    if (value === undefined) continue;
    const where = `${path}.${field}`;
    if (value > 100) {
      issues.push({ path: where, message: `must be between 0 and 100: got ${value}` });
    }
    const message = "is deprecated, use mirrorPercentage";
    issues.push({ path: where, message, severity: "warning" });
  }
  issues.push(...validatePercent(route.mirrorPercentage, `${path}.mirrorPercentage`));
  for (const [at, { destination, percentage }] of mirrors.entries()) {
    const where = `${path}.mirrors[${at}]`;
    issues.push(...validateDestination(destination, `${where}.destination`));
    issues.push(...validatePercent(percentage, `${where}.percentage`));
  }
  return issues;
}

function validatePercent(percent: Percent | undefined, path: string): readonly Issue[] {
  const { value = 0 } = percent ?? {};
  if (value >= 0 && value <= 100) return [];
  return [{ path: `${path}.value`, message: `must be between 0 and 100: got ${value}` }];
}
