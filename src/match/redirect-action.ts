import {
  RedirectActionSchema,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type RedirectAction as RedirectMessage,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import type { MatchRequest } from "./match-request.ts";
import { beforeQuery, type PathMatch } from "./path-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileRegexRewrite } from "./regex-rewrite.ts";
import type { RedirectAction } from "./route.ts";
import { wireText } from "./wire-text.ts";

const REDIRECT_STATUS: Readonly<Record<RedirectCode, number>> = {
  [RedirectCode.MOVED_PERMANENTLY]: 301,
  [RedirectCode.FOUND]: 302,
  [RedirectCode.SEE_OTHER]: 303,
  [RedirectCode.TEMPORARY_REDIRECT]: 307,
  [RedirectCode.PERMANENT_REDIRECT]: 308,
};

const HANDLED = [
  "https_redirect",
  "scheme_redirect",
  "host_redirect",
  "port_redirect",
  "path_redirect",
  "prefix_rewrite",
  "regex_rewrite",
  "response_code",
  "strip_query",
];

/** Decodes the action that sends the client elsewhere. */
export function decodeRedirectAction(
  message: RedirectMessage,
  { pathMatch, path, issues }: { pathMatch: PathMatch; path: string; issues: Issue[] },
): RedirectAction {
  issues.push(...refuseFields(RedirectActionSchema, message, HANDLED, path));
  const { schemeRewriteSpecifier: scheme, portRedirect } = message;
  const hostRedirect = wireText(message.hostRedirect);
  const newPath = compilePath(message, { pathMatch, path, issues });
  return {
    kind: "redirect",
    status: REDIRECT_STATUS[message.responseCode] ?? 301,
    location: (request) => {
      let newScheme = request.scheme;
      if (scheme.case === "httpsRedirect" && scheme.value) newScheme = "https";
      if (scheme.case === "schemeRedirect") newScheme = scheme.value || newScheme;
      const host = redirectHost(request, { newScheme, hostRedirect, portRedirect });
      const to = newPath(request.path);
      return `${newScheme}://${host}${to.startsWith("/") ? "" : "/"}${to}`;
    },
  };
}

/** The answer of a virtual host that wants TLS: the same over `https`. */
export function httpsLocation(request: MatchRequest): string {
  const host = redirectHost(request, { newScheme: "https", hostRedirect: "", portRedirect: 0 });
  return `https://${host}${request.path}`;
}

function redirectHost(
  request: MatchRequest,
  to: { newScheme: string; hostRedirect: string; portRedirect: number },
): string {
  if (to.portRedirect !== 0) {
    return `${to.hostRedirect || request.authority.replace(/:\d+$/, "")}:${to.portRedirect}`;
  }
  if (to.hostRedirect !== "") return to.hostRedirect;
  // The port that went with the old scheme by default would be wrong with the new one.
  const oldPort = request.scheme === "http" ? /:80$/ : /:443$/;
  if (to.newScheme === request.scheme) return request.authority;
  return request.authority.replace(oldPort, "");
}

function compilePath(
  message: RedirectMessage,
  { pathMatch, path, issues }: { pathMatch: PathMatch; path: string; issues: Issue[] },
): (from: string) => string {
  const { pathRewriteSpecifier: rewrite, stripQuery } = message;
  const queryOf = (from: string): string =>
    stripQuery ? "" : from.substring(beforeQuery(from).length);
  switch (rewrite.case) {
    case "regexRewrite": {
      const replace = compileRegexRewrite(rewrite.value, joinPath(path, "regex_rewrite"), issues);
      return (from) => replace(beforeQuery(from)) + queryOf(from);
    }
    case "pathRedirect": {
      const to = wireText(rewrite.value);
      if (to === "") break;
      return to.includes("?") ? () => to : (from) => to + queryOf(from);
    }
    case "prefixRewrite": {
      const to = wireText(rewrite.value);
      if (to === "") break;
      if (pathMatch.template !== undefined) {
        issues.push({ path, message: "Cannot use redirect.prefix_rewrite with path_match_policy" });
      }
      return (from) => {
        const bare = beforeQuery(from);
        return pathMatch.replaceMatched(bare, to) + queryOf(from);
      };
    }
    case undefined:
  }
  return (from) => beforeQuery(from) + queryOf(from);
}
