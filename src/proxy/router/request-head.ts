import type { HeaderMutations } from "../../match/header-mutations.ts";
import type { ClusterAction, ClusterChoice, HostRewrite } from "../../match/route.ts";
import type { Host } from "../cluster/host.ts";
import { mutateHead } from "../http/header-mutation.ts";
import { CODING, type RequestHead } from "../http/message-head.ts";
import type { RoutedStream } from "./routed-stream.ts";

/**
 * Puts into the request what its route says, before the first attempt, in Envoy's order. Returns
 * the first name whose value cannot stand in a header; "" for none.
 */
export function prepareRequestHead(
  stream: RoutedStream,
  action: ClusterAction,
  { ownHost, hostRewrite, mutations }: ClusterChoice,
): string {
  const { head, config } = stream;
  const refused = mutations.request.length > 0 ? mutateRequest(stream, mutations.request) : "";
  const tellsOriginals = !config.suppressesEnvoyHeaders;
  if (ownHost !== "") head.authority = ownHost;
  if (hostRewrite !== undefined) {
    const host = rewrittenHost(hostRewrite, head);
    if (host !== undefined) replaceHost(stream, action, host);
  }
  if (action.rewritePath === undefined) return refused;
  const path = action.rewritePath(head.path);
  if (tellsOriginals) head.headers.set("x-envoy-original-path", head.path);
  head.path = path;
  return refused;
}

function mutateRequest({ head, info }: RoutedStream, levels: readonly HeaderMutations[]): string {
  const hadLength = head.contentLength > 0;
  const refused = mutateHead(levels, head, info);
  // The upstream must be able to tell where the body ends.
  if (hadLength && head.contentLength === -1) head.coding = CODING.chunked;
  return refused;
}

/** `undefined` where the host stays, or is only known with the upstream host. */
function rewrittenHost(rewrite: HostRewrite, head: RequestHead): string | undefined {
  switch (rewrite.kind) {
    case "literal":
      return rewrite.host;
    case "header":
      return head.headers.get(rewrite.name);
    case "path": {
      const query = head.path.indexOf("?");
      return rewrite.rewrite(query === -1 ? head.path : head.path.substring(0, query));
    }
    case "auto":
      return undefined;
  }
}

function replaceHost(stream: RoutedStream, action: ClusterAction, host: string): void {
  const { head, config } = stream;
  const { authority } = head;
  if (action.appendsForwardedHost && authority !== "") appendForwardedHost(head, authority);
  if (!config.suppressesEnvoyHeaders) head.headers.set("x-envoy-original-host", authority);
  head.authority = host;
}

/** The list of hosts that a request was for; the last one does not stand there twice. */
function appendForwardedHost({ headers }: RequestHead, authority: string): void {
  const before = headers.get("x-forwarded-host");
  if (before === undefined || before === "") headers.set("x-forwarded-host", authority);
  else if (before.split(",").at(-1)?.trim() !== authority) {
    headers.set("x-forwarded-host", `${before},${authority}`);
  }
}

/** Takes the name of the upstream host for the request's, where the route says so. */
export function takeHostName(stream: RoutedStream, action: ClusterAction, host: Host): void {
  const { hostname } = host.state;
  if (hostname !== "" && hostname !== stream.head.authority) replaceHost(stream, action, hostname);
}
