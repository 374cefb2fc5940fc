import { STATUS_CODES } from "node:http";
import type { Issue } from "../../base/issue.ts";
import { suggest } from "../../base/suggest.ts";
import type { HttpDirectResponse, HttpRedirect, HttpRetry, HttpRewrite } from "../http-route.ts";
import { checkRegex } from "../regex.ts";
import { validateHttpStatus } from "./fault-rules.ts";
import { validateOptionalPort } from "./route-destination-rules.ts";

const BODY_BYTES_MAX = 1024 * 1024;
const BODY_BYTES_MANY = 100 * 1024;
/** Those that Envoy can send. */
const REDIRECT_CODES = [0, 301, 302, 303, 307, 308];
/** Envoy's conditions; those after the empty line are gRPC's. */
const RETRY_CONDITIONS = [
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "retriable-headers",
  "envoy-ratelimited",
  "http3-post-connect-failure",

  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
];

/** `http[].redirect`. */
export function validateRedirect(
  redirect: HttpRedirect | undefined,
  path: string,
): readonly Issue[] {
  if (redirect === undefined) return [];
  const { uri = "", authority = "", scheme = "", prefixRewrite = "", redirectCode = 0 } = redirect;
  const issues: Issue[] = [...validateOptionalPort(redirect.port, `${path}.port`)];
  const hasPort = redirect.port !== undefined || redirect.derivePort !== undefined;
  if (`${uri}${authority}${scheme}${prefixRewrite}` === "" && !hasPort) {
    const message = "must change the uri, prefixRewrite, authority, scheme or port";
    issues.push({ path, message });
  }
  if (uri !== "" && prefixRewrite !== "") {
    issues.push({ path: `${path}.prefixRewrite`, message: "must not stand beside uri" });
  }
  if (scheme !== "" && scheme !== "http" && scheme !== "https") {
    const message = `must be http or https: got ${JSON.stringify(scheme)}`;
    issues.push({ path: `${path}.scheme`, message });
  }
  const where = `${path}.redirectCode`;
  if (redirectCode !== 0 && (redirectCode < 300 || redirectCode > 399)) {
    issues.push({ path: where, message: `must be between 300 and 399: got ${redirectCode}` });
  } else if (!REDIRECT_CODES.includes(redirectCode)) {
    const message = `${redirectCode} cannot be sent: it will be 301`;
    issues.push({ path: where, message, severity: "warning" });
  }
  return issues;
}

/** `http[].directResponse`. */
export function validateDirectResponse(
  response: HttpDirectResponse | undefined,
  path: string,
): readonly Issue[] {
  if (response === undefined) return [];
  const { string = "", bytes = "" } = response.body ?? {};
  const size = Buffer.byteLength(string) + Buffer.byteLength(bytes, "base64");
  const issues: Issue[] = [...validateHttpStatus(response.status, `${path}.status`)];
  const where = `${path}.body`;
  if (size > BODY_BYTES_MAX) {
    issues.push({ path: where, message: `must have at most ${BODY_BYTES_MAX} bytes: got ${size}` });
  } else if (size > BODY_BYTES_MANY) {
    const message = `is sent to every proxy with its routes: ${size} bytes slow down each change`;
    issues.push({ path: where, message, severity: "warning" });
  }
  return issues;
}

/** `http[].rewrite`. */
export function validateRewrite(rewrite: HttpRewrite | undefined, path: string): readonly Issue[] {
  if (rewrite === undefined) return [];
  const { uri = "", authority = "", uriRegexRewrite } = rewrite;
  if (uriRegexRewrite === undefined) {
    if (uri !== "" || authority !== "") return [];
    const message = 'must have at least one of "uri", "uriRegexRewrite", "authority"';
    return [{ path, message }];
  }
  const issues: Issue[] = [];
  const where = `${path}.uriRegexRewrite`;
  if (uri !== "") issues.push({ path: where, message: "must not stand beside uri" });
  const { match = "", rewrite: substitution = "" } = uriRegexRewrite;
  if (match === "") issues.push({ path: `${where}.match`, message: "must not be empty" });
  if (substitution === "") issues.push({ path: `${where}.rewrite`, message: "must not be empty" });
  const wrong = match === "" ? undefined : checkRegex(match);
  if (wrong !== undefined) issues.push({ path: `${where}.match`, message: wrong });
  return issues;
}

/** What a try that took too long is repeated for; a proxy's own 504 is no status that came back. */
const SLOW_TRY_CONDITIONS: readonly string[] = ["5xx", "gateway-error", "reset"];

/** `http[].retries`, and the same of the mesh. */
export function validateRetries(retries: HttpRetry | undefined, path: string): readonly Issue[] {
  if (retries === undefined) return [];
  const { attempts = 0, retryOn = "" } = retries;
  const issues: Issue[] = [];
  if (attempts < 0) {
    issues.push({ path: `${path}.attempts`, message: `must not be negative: got ${attempts}` });
  }
  const hasMore =
    retries.perTryTimeout !== undefined || retries.retryRemoteLocalities !== undefined;
  if (attempts === 0 && (hasMore || retryOn !== "")) {
    const message = "must be above 0 beside other fields: 0 turns retries off";
    issues.push({ path: `${path}.attempts`, message });
  }
  for (const condition of retryOn === "" ? [] : retryOn.split(",")) {
    if (RETRY_CONDITIONS.includes(condition) || isStatusCode(condition)) continue;
    const meant = suggest(condition.trim(), RETRY_CONDITIONS);
    const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
    const message = `must be conditions and status codes, with commas and no spaces: got ${JSON.stringify(condition)}${hint}`;
    issues.push({ path: `${path}.retryOn`, message });
  }
  const isCut = attempts > 0 && retries.perTryTimeout !== undefined;
  if (isCut && !retryOn.split(",").some(isForSlowTries)) {
    const message = `ends slow tries, which are not repeated then: retryOn must have one of ${SLOW_TRY_CONDITIONS.join(", ")} for that`;
    issues.push({ path: `${path}.perTryTimeout`, message, severity: "warning" });
  }
  return issues;
}

function isForSlowTries(condition: string): boolean {
  return SLOW_TRY_CONDITIONS.includes(condition);
}

/** A registered status code; Node knows one that is not, 509. */
function isStatusCode(text: string): boolean {
  return /^\d+$/.test(text) && STATUS_CODES[Number(text)] !== undefined && Number(text) !== 509;
}
