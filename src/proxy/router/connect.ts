import type { ConnectionInfo } from "../../match/connection-info.ts";
import type { ClusterAction } from "../../match/route.ts";
import type { LocalReply } from "../http/local-reply.ts";
import type { RequestHead } from "../http/message-head.ts";
import { isAuthority } from "../http/parse-fields.ts";
import { encodeProxyHeader } from "../net/proxy-header.ts";

/** A CONNECT with a path would be that of HTTP/2, which asks for a protocol. */
export const BAD_CONNECT: LocalReply = {
  status: 503,
  body: "missing required header: :protocol",
  flag: "DPE",
  details: "filter_removed_required_request_headers{missing_required_header:_:protocol}",
};

/** Whether what the route made of a CONNECT is still one: its first line is the host alone. */
export function canConnectTo({ path, authority }: RequestHead): boolean {
  return path === "" && authority !== "" && isAuthority(authority);
}

/**
 * What is sent first where this proxy is the end of a CONNECT, or of a POST that stands for one, and
 * sends on what is inside: "" or a header in Latin-1. `undefined` where it passes the request itself
 * on.
 */
export function tunnelPrefix(
  method: string,
  { upgrades }: ClusterAction,
  connection: ConnectionInfo,
): string | undefined {
  const connect = upgrades.get("connect")?.connect;
  if (connect === undefined) return undefined;
  if (method !== "CONNECT" && !(connect.allowsPost && method === "POST")) return undefined;
  const { proxyProtocol } = connect;
  return proxyProtocol === undefined ? "" : encodeProxyHeader(proxyProtocol, connection);
}
