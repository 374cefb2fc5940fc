import type { LocalReply } from "./local-reply.ts";
import type { RequestHead } from "./message-head.ts";
import { mergeSlashes, normalizePath } from "./normalize-path.ts";

/** What to do about `%2F` and `%5C` in a path. */
export type EscapedSlashes = "keep" | "reject" | "redirect" | "forward";

/** How paths and hosts are put right; see Envoy's fields of the same names. */
export interface TargetOptions {
  readonly normalizesPath: boolean;
  readonly mergesSlashes: boolean;
  readonly escapedSlashes: EscapedSlashes;
  readonly stripsTrailingHostDot: boolean;
  /** `matching`: only the listener's own port. */
  readonly stripsHostPort: "none" | "matching" | "any";
}

/** Puts path and host right; a reply where the request may not go on. */
export type TargetPreparer = (head: RequestHead, localPort: number) => LocalReply | undefined;

const REFUSED_PATH: LocalReply = {
  status: 400,
  body: "",
  flag: "",
  details: "path_normalization_failed",
  closes: true,
};

/** Compiles the options; `undefined` when they leave everything as it is. */
export function compileTarget(options: TargetOptions): TargetPreparer | undefined {
  const { normalizesPath, mergesSlashes, escapedSlashes } = options;
  const changesHost = options.stripsTrailingHostDot || options.stripsHostPort !== "none";
  const changesPath = normalizesPath || mergesSlashes || escapedSlashes !== "keep";
  if (!changesHost && !changesPath) return undefined;
  return (head, localPort) => {
    if (head.path !== "" && changesPath) {
      let { path } = head;
      const hasEscaped = escapedSlashes !== "keep" && hasEscapedSlash(path);
      if (hasEscaped && escapedSlashes === "reject") return REFUSED_PATH;
      if (hasEscaped) path = unescapeSlashes(path);
      if (normalizesPath && path.charCodeAt(0) === 47) path = normalizePath(path, mergesSlashes);
      else if (mergesSlashes) path = mergePathSlashes(path);
      if (hasEscaped && escapedSlashes === "redirect") return redirectTo(path);
      head.path = path;
    }
    if (changesHost) head.authority = stripHost(head, options, localPort);
    return undefined;
  };
}

function redirectTo(path: string): LocalReply {
  return {
    status: 307,
    body: "",
    flag: "",
    details: "path_normalization_failed",
    headers: ["location", path],
  };
}

/** Where the path ends and its query begins. */
function pathEnd(path: string): number {
  const query = path.indexOf("?");
  return query === -1 ? path.length : query;
}

/** Whether a slash of either kind stands there as `%2F` or `%5C`. */
function hasEscapedSlash(path: string): boolean {
  const end = pathEnd(path);
  for (let at = path.indexOf("%"); at !== -1 && at < end; at = path.indexOf("%", at + 1)) {
    if (/^%(?:2f|5c)/i.test(path.substring(at, at + 3))) return true;
  }
  return false;
}

function unescapeSlashes(path: string): string {
  const end = pathEnd(path);
  const bare = path.substring(0, end).replace(/%2f/gi, "/").replace(/%5c/gi, "\\");
  return bare + path.substring(end);
}

function mergePathSlashes(path: string): string {
  const end = pathEnd(path);
  const bare = path.substring(0, end);
  return bare.includes("//") ? mergeSlashes(bare) + path.substring(end) : path;
}

function stripHost(
  { authority, method }: RequestHead,
  { stripsTrailingHostDot, stripsHostPort }: TargetOptions,
  localPort: number,
): string {
  const colon = portColon(authority);
  let host = colon === -1 ? authority : authority.substring(0, colon);
  let port = colon === -1 ? "" : authority.substring(colon);
  if (stripsTrailingHostDot && host.endsWith(".")) host = host.substring(0, host.length - 1);
  // The port is all that the target of a CONNECT is about.
  const mayStrip = method !== "CONNECT" && /^:\d+$/.test(port);
  if (mayStrip && stripsHostPort === "any") port = "";
  else if (mayStrip && stripsHostPort === "matching" && port === `:${localPort}`) port = "";
  return host + port;
}

/** Where the port of a host begins, not inside the brackets of an IPv6 address; -1 for none. */
function portColon(authority: string): number {
  const colon = authority.lastIndexOf(":");
  return colon > authority.lastIndexOf("]") ? colon : -1;
}
