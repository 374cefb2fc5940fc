import { parseDurationMs } from "../../base/duration.ts";
import type { Issue } from "../../base/issue.ts";
import type {
  HttpDirectResponse,
  HttpRedirect,
  HttpRewrite,
  HttpRoute,
} from "../../config/http-route.ts";
import { checkRegex } from "../../config/regex.ts";
import { type DirectResponse, NO_REWRITE, type Rewrite } from "../route.ts";
import type { RedirectRule, RuleAction } from "../virtual-service.ts";

/** Begins a path that keeps what the route's prefix did not match. */
const PREFIX_OPERATOR = "%PREFIX()%";
const BODY_BYTES_MAX = 1024 * 1024;

/** What a rule does with its requests; `authority` is the host that its headers set. */
export function buildAction(
  route: HttpRoute,
  path: string,
  authority: string | undefined,
  issues: Issue[],
): RuleAction {
  if (route.redirect !== undefined) {
    return buildRedirect(route.redirect, `${path}.redirect`, issues);
  }
  if (route.directResponse !== undefined) {
    return buildDirectResponse(route.directResponse, `${path}.directResponse`, issues);
  }
  const { timeout, retries, rewrite } = route;
  return {
    type: "forward",
    timeoutMs: timeout === undefined ? 0 : (parseDurationMs(timeout) ?? 0),
    retries,
    rewrite: buildRewrite(rewrite, `${path}.rewrite`, authority, issues),
  };
}

function buildRewrite(
  rewrite: HttpRewrite | undefined,
  path: string,
  authority: string | undefined,
  issues: Issue[],
): Rewrite {
  if (rewrite === undefined) {
    return authority === undefined ? NO_REWRITE : { ...NO_REWRITE, authority };
  }
  const { uri = "", uriRegexRewrite } = rewrite;
  const host = filled(rewrite.authority) ?? authority;
  checkText(uri, `${path}.uri`, issues);
  checkText(host ?? "", `${path}.authority`, issues);
  if (uriRegexRewrite === undefined) {
    return { path: filled(uri), pathRegex: undefined, authority: host };
  }
  const { match = "", rewrite: replacement = "" } = uriRegexRewrite;
  const problem = checkRegex(match);
  const useless = problem === undefined ? replacementProblem(match, replacement) : undefined;
  if (problem !== undefined) {
    issues.push({ path: `${path}.uriRegexRewrite.match`, message: problem });
  } else if (useless !== undefined) {
    const where = `${path}.uriRegexRewrite.rewrite`;
    issues.push({ path: where, message: useless, severity: "warning" });
  }
  return { path: undefined, pathRegex: { match, replacement }, authority: host };
}

/** Why RE2 would leave every path as it is: the replacement names a group that there is not. */
function replacementProblem(match: string, replacement: string): string | undefined {
  const groups = (match.match(/\\.|\[(?:\\.|[^\]\\])*\]|\((?!\?)|\(\?P?</g) ?? []).filter((part) =>
    part.startsWith("("),
  ).length;
  for (const [escape, digit] of replacement.matchAll(/\\(.?)/gs)) {
    if (digit === "\\") continue;
    if (digit === undefined || !/^\d$/.test(digit)) {
      return `"${escape}" is neither a group nor a backslash (\\\\): paths are left as they are`;
    }
    if (Number(digit) > groups) {
      return `there is no group \\${digit}, the expression has ${groups}: paths are left as they are`;
    }
  }
  return undefined;
}

const REDIRECT_CODES: readonly number[] = [301, 302, 303, 307, 308];

function buildRedirect(redirect: HttpRedirect, path: string, issues: Issue[]): RedirectRule {
  const { uri = "", authority = "", scheme = "", prefixRewrite = "", redirectCode = 0 } = redirect;
  const { port, derivePort } = redirect;
  for (const [field, text] of Object.entries({ uri, authority, scheme, prefixRewrite })) {
    checkText(text, `${path}.${field}`, issues);
  }
  const prefix = uri.startsWith(PREFIX_OPERATOR)
    ? uri.slice(PREFIX_OPERATOR.length)
    : filled(prefixRewrite);
  const whole: RedirectRule["path"] = uri === "" ? undefined : { kind: "whole", value: uri };
  return {
    type: "redirect",
    status: REDIRECT_CODES.includes(redirectCode) ? redirectCode : 301,
    path: prefix === undefined ? whole : { kind: "prefix", value: prefix },
    authority: filled(authority),
    scheme: filled(scheme),
    port: derivePort === "FROM_REQUEST_PORT" ? "request" : port === 0 ? undefined : port,
  };
}

function buildDirectResponse(
  { status, body }: HttpDirectResponse,
  path: string,
  issues: Issue[],
): DirectResponse {
  if (status < 200 || status > 599) {
    issues.push({ path: `${path}.status`, message: `${status} cannot be answered` });
  }
  const { string: text, bytes } = body ?? {};
  const size = text === undefined ? Buffer.byteLength(bytes ?? "", "base64") : byteLength(text);
  if (size > BODY_BYTES_MAX) {
    const message = `must have at most ${BODY_BYTES_MAX} bytes: got ${size}`;
    issues.push({ path: `${path}.body`, message });
  }
  return {
    type: "direct-response",
    status,
    body: text !== undefined ? { text } : bytes === undefined ? undefined : { base64: bytes },
  };
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

function filled(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** What a proxy refuses in paths and hosts, with all of its routes. */
function checkText(text: string, path: string, issues: Issue[]): void {
  // oxlint-disable-next-line no-control-regex
  if (!/[\0\r\n]/.test(text)) return;
  issues.push({ path, message: "must not have line breaks or NUL" });
}
