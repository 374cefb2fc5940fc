import type { ClusterAction } from "../../match/route.ts";
import type { LocalReply } from "../http/local-reply.ts";
import type { RequestHead } from "../http/message-head.ts";
import { isAuthority } from "../http/parse-fields.ts";

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

/** Whether this proxy is the end of a CONNECT, and sends on what is inside. */
export function isTerminated({ upgrades }: ClusterAction): boolean {
  return upgrades.get("connect")?.connect !== undefined;
}
