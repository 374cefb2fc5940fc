import type { Issue } from "../../base/issue.ts";
import { isHostLabel } from "../host.ts";
import type { HttpMatch } from "../http-route.ts";
import { validateLabels } from "../metadata.ts";
import { checkRegex } from "../regex.ts";
import type { StringMatch } from "../string-match.ts";
import { validateGatewayNames } from "./gateway-name-rules.ts";
import { validateMatchName } from "./header-rules.ts";
import { validateOptionalPort } from "./route-destination-rules.ts";

const PARAMETER_NAME_BYTES_MAX = 1024;

/** One alternative of `http[].match`. */
export function validateHttpMatch(match: HttpMatch, path: string): readonly Issue[] {
  // A prefix that is empty is one for a path alone: Envoy's other matchers refuse it.
  const issues: Issue[] = [...validateRegex(match.uri, `${path}.uri`)];
  for (const field of ["scheme", "method", "authority"] as const) {
    issues.push(...validateStringMatch(match[field], `${path}.${field}`));
  }
  for (const field of ["headers", "withoutHeaders"] as const) {
    for (const [name, one] of Object.entries(match[field] ?? {})) {
      const where = `${path}.${field}[${name}]`;
      issues.push(...validateMatchName(name, where));
      // Written so, it asks for a header that is there, whatever its value.
      if (field === "withoutHeaders" && one.regex === "*") continue;
      issues.push(...validateStringMatch(one, where));
    }
  }
  for (const [name, one] of Object.entries(match.queryParams ?? {})) {
    const where = `${path}.queryParams[${name}]`;
    issues.push(...validateParameterName(name, where), ...validateStringMatch(one, where));
  }
  issues.push(...validateOptionalPort(match.port, `${path}.port`));
  issues.push(...validateLabels(`${path}.sourceLabels`, match.sourceLabels));
  issues.push(...validateGatewayNames(match.gateways, `${path}.gateways`));
  const { sourceNamespace = "" } = match;
  if (sourceNamespace !== "" && !isHostLabel(sourceNamespace)) {
    const message = `must be the name of a namespace: got ${JSON.stringify(sourceNamespace)}`;
    issues.push({ path: `${path}.sourceNamespace`, message });
  }
  return issues;
}

/** The regular expression of a match, where it has one. */
export function validateRegex(match: StringMatch | undefined, path: string): readonly Issue[] {
  const wrong = match?.regex === undefined ? undefined : checkRegex(match.regex);
  return wrong === undefined ? [] : [{ path: `${path}.regex`, message: wrong }];
}

function validateStringMatch(match: StringMatch | undefined, path: string): readonly Issue[] {
  if (match?.prefix === "") return [{ path: `${path}.prefix`, message: "must not be empty" }];
  return validateRegex(match, path);
}

/** Envoy refuses all routes of a proxy for a name outside of these bounds. */
function validateParameterName(name: string, path: string): readonly Issue[] {
  if (name === "") return [{ path, message: "the name of a parameter must not be empty" }];
  if (Buffer.byteLength(name) <= PARAMETER_NAME_BYTES_MAX) return [];
  const message = `the name of a parameter must have at most ${PARAMETER_NAME_BYTES_MAX} bytes`;
  return [{ path, message }];
}
