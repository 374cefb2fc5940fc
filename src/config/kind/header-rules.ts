import type { Issue } from "../../base/issue.ts";
import type { HeaderOperations, Headers } from "../header-operations.ts";
import { checkHeaderValue } from "../header-value.ts";
import type { HttpRewrite } from "../http-route.ts";
import { showJson } from "../json.ts";

/** The characters that RFC 9110 allows in a field name (section 5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What Istio takes as a name to match by, or to allow across origins. */
const PLAIN_NAME = /^[-_A-Za-z0-9]+$/;
const PSEUDO_HEADERS = [":method", ":scheme", ":authority", ":path", ":status"];
const CLAIMS = "@request.auth.claims";

/** The operations on headers of a route or of one destination. */
export function validateHeaders(headers: Headers | undefined, path: string): readonly Issue[] {
  return [
    ...validateOperations(headers?.request, `${path}.request`, isAuthority),
    ...validateOperations(headers?.response, `${path}.response`, () => false),
  ];
}

/** The host may be rewritten in one place only. */
export function validateAuthority(
  rewrite: HttpRewrite | undefined,
  headers: Headers | undefined,
  path: string,
): readonly Issue[] {
  const places: string[] = [];
  if ((rewrite?.authority ?? "") !== "") places.push(`${path}.rewrite.authority`);
  for (const operation of ["set", "add"] as const) {
    for (const name of Object.keys(headers?.request?.[operation] ?? {})) {
      if (isAuthority(name)) places.push(`${path}.headers.request.${operation}[${name}]`);
    }
  }
  const [first, ...others] = places;
  return others.map((place) => ({ path: place, message: `the host is set by ${first} already` }));
}

/** The name of a header to match by. */
export function validateMatchName(name: string, path: string): readonly Issue[] {
  if (isClaim(name)) {
    const message =
      "is not supported yet: Istio knows claims as headers, this version of weft does not";
    return [{ path, message }];
  }
  if (PSEUDO_HEADERS.includes(name) || PLAIN_NAME.test(name)) return [];
  return [{ path, message: `must be a header name: got ${JSON.stringify(name)}` }];
}

/** A name in one of the lists of a CORS policy. */
export function validateCorsName(name: string, path: string): readonly Issue[] {
  if (name === "*" || PLAIN_NAME.test(name)) return [];
  return [{ path, message: `must be a header name or "*": got ${JSON.stringify(name)}` }];
}

function isClaim(name: string): boolean {
  return name.startsWith(`${CLAIMS}.`) || name.startsWith(`${CLAIMS}[`);
}

function isAuthority(name: string): boolean {
  return /^(:authority|host)$/i.test(name);
}

function validateOperations(
  operations: HeaderOperations | undefined,
  path: string,
  maySet: (name: string) => boolean,
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const operation of ["set", "add"] as const) {
    for (const [name, value] of Object.entries(operations?.[operation] ?? {})) {
      const where = `${path}.${operation}[${name}]`;
      if (!maySet(name)) issues.push(...validateName(name, where));
      const wrong = checkHeaderValue(value);
      if (wrong !== undefined) issues.push({ path: where, message: wrong });
    }
  }
  for (const [at, name] of (operations?.remove ?? []).entries()) {
    issues.push(...validateName(name, `${path}.remove[${at}]`));
  }
  return issues;
}

function validateName(name: string, path: string): readonly Issue[] {
  if (name.startsWith(":") || /^host$/i.test(name)) {
    return [{ path, message: `must not be ":…" or "host": got ${showJson(name)}` }];
  }
  if (TOKEN.test(name)) return [];
  return [{ path, message: `must be a header name: got ${showJson(name)}` }];
}
