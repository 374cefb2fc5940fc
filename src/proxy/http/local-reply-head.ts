import type { LocalReply } from "./local-reply.ts";
import type { RequestHead, ResponseHead } from "./message-head.ts";

/** Envoy's mapping of HTTP statuses for clients that speak gRPC; whatever else is 2, UNKNOWN. */
const GRPC_BY_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  429: 14,
  502: 14,
  503: 14,
  504: 14,
};

/** Makes the head of a local reply, for a client that speaks gRPC one of gRPC; answers the body. */
export function fillLocalHead(head: ResponseHead, reply: LocalReply, request: RequestHead): string {
  const { headers } = head;
  head.reset();
  head.status = reply.status;
  for (let at = 0; at < (reply.headers?.length ?? 0); at += 2) {
    headers.add(reply.headers?.[at] ?? "", reply.headers?.[at + 1] ?? "");
  }
  if (reply.isVerbatim !== true && isGrpcRequest(request)) {
    fillGrpcHead(head, reply, request);
    return "";
  }
  const { body } = reply;
  if (body === "") return "";
  head.contentLength = body.length;
  headers.add("content-length", String(body.length));
  headers.add("content-type", "text/plain");
  return body;
}

/** A response of nothing but a head: the status of the call stands in it, and why. */
function fillGrpcHead(head: ResponseHead, reply: LocalReply, request: RequestHead): void {
  const { headers } = head;
  head.status = 200;
  headers.set("content-type", "application/grpc");
  const status = reply.grpcStatus ?? GRPC_BY_STATUS[reply.status] ?? 2;
  headers.set("grpc-status", String(status));
  if (reply.body !== "" && request.method !== "HEAD") {
    headers.set("grpc-message", percentEncode(reply.body));
  }
}

/** gRPC over HTTP/2, PROTOCOL-HTTP2.md: `application/grpc`, or with a `+` or `;` after it. */
export function isGrpcRequest({ headers }: RequestHead): boolean {
  const type = headers.first("content-type");
  if (type === undefined || !type.startsWith("application/grpc")) return false;
  return type.length === 16 || type[16] === "+" || type[16] === ";";
}

/** What a gRPC message may not hold as it is: control bytes, those beyond ASCII, and `%`. */
function percentEncode(text: string): string {
  return text.replace(
    /[^ -$&-~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
