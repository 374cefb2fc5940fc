import type { InternalRedirectPolicy } from "../../match/internal-redirect.ts";
import type { Route } from "../../match/route.ts";
import { CODING, type RequestHead, type ResponseHead } from "../http/message-head.ts";

/** Where a redirect leads. */
interface RedirectTarget {
  readonly scheme: "http" | "https";
  readonly authority: string;
  /** Path and query; what stands behind a `#` is the client's own. */
  readonly path: string;
}

/** Reads a `Location` that the proxy may follow: an absolute one of http or https. */
function parseRedirectTarget(location: string): RedirectTarget | undefined {
  const colon = location.indexOf("://");
  const scheme = location.substring(0, colon).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return undefined;
  const rest = location.substring(colon + 3);
  const end = rest.search(/[/?#]/);
  const authority = end === -1 ? rest : rest.substring(0, end);
  if (authority === "" || /[\s@\\]/.test(authority)) return undefined;
  const hash = rest.indexOf("#");
  const path = end === -1 ? "" : rest.substring(end, hash === -1 ? undefined : hash);
  return { scheme, authority, path: path.startsWith("/") ? path : `/${path}` };
}

/** What of a stream a redirect changes. */
export interface RedirectedStream {
  readonly head: RequestHead;
  scheme: string;
  /** Routes that earlier redirects led away from. */
  readonly redirects: readonly string[];
}

/**
 * Makes the request what the redirect of an upstream asks for; answers how to undo that, or
 * `undefined` where the policy does not let it be followed (Envoy, "Internal redirects").
 */
export function takeRedirect(
  stream: RedirectedStream,
  policy: InternalRedirectPolicy,
  response: ResponseHead,
): (() => void) | undefined {
  const { head, scheme } = stream;
  const location = response.headers.get("location");
  const target = location === undefined ? undefined : parseRedirectTarget(location);
  if (target === undefined || stream.redirects.length >= policy.redirectsMax) return undefined;
  if (!allowsScheme(policy, scheme, target.scheme)) return undefined;
  const { authority, path, method, contentLength, coding } = head;
  const headers = head.headers.snapshot();
  head.headers.set("x-envoy-original-url", `${scheme}://${authority}${path}`);
  for (const name of policy.responseHeadersToCopy) {
    const value = response.headers.get(name);
    if (value === undefined) head.headers.remove(name);
    else head.headers.set(name, value);
  }
  head.authority = target.authority;
  head.path = target.path;
  stream.scheme = target.scheme;
  // "See other" asks for the thing itself (RFC 9110 15.4.4).
  if (response.status === 303 && method !== "GET" && method !== "HEAD") {
    head.method = "GET";
    head.contentLength = -1;
    head.coding = CODING.none;
    head.headers.remove("content-length");
  }
  return () => {
    head.headers.restore(headers);
    Object.assign(head, { authority, path, method, contentLength, coding });
    stream.scheme = scheme;
  };
}

/** Whether a policy lets a request of one scheme be sent on to another. */
function allowsScheme(policy: InternalRedirectPolicy, from: string, to: string): boolean {
  if (from === to) return true;
  return policy.allowsCrossScheme && !(policy.isSafeCrossScheme && to === "http");
}

/** Whether the route that a redirect leads to is one that the policy lets it take. */
export function acceptsRoute(
  policy: InternalRedirectPolicy,
  route: Route | undefined,
  before: readonly string[],
): boolean {
  if (route === undefined || policy.allowedRoutes?.has(route.name) === false) return false;
  return !(policy.avoidsPreviousRoutes && before.includes(route.name));
}
