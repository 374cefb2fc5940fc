import { isGrpcContentType } from "../../match/grpc-content-type.ts";
import { grpcStatusOf } from "../../match/grpc-status.ts";
import type { LocalReply } from "./local-reply.ts";
import { type LocalReplyConfig, type ShapedStream, shapeReply } from "./local-reply-config.ts";
import type { RequestHead, ResponseHead } from "./message-head.ts";

/** Makes the head of a local reply, for a client that speaks gRPC one of gRPC; answers the body. */
export function fillLocalHead(
  head: ResponseHead,
  given: LocalReply,
  request: RequestHead,
  shape: { readonly replies: LocalReplyConfig; readonly of: ShapedStream } | undefined,
): string {
  const { headers } = head;
  head.reset();
  head.status = given.status;
  for (let at = 0; at < (given.headers?.length ?? 0); at += 2) {
    headers.add(given.headers?.[at] ?? "", given.headers?.[at + 1] ?? "");
  }
  if (given.isVerbatim === true) return fillBodyHead(head, given);
  const reply = shape === undefined ? given : shapeReply(shape.replies, given, head, shape.of);
  head.status = reply.status;
  if (!(request.isFromGrpcClient ?? isGrpcRequest(request))) return fillBodyHead(head, reply);
  fillGrpcHead(head, reply, request);
  return "";
}

function fillBodyHead(head: ResponseHead, { body, contentType = TEXT }: LocalReply): string {
  const { headers } = head;
  if (body === "") {
    headers.remove("content-type");
    return "";
  }
  head.contentLength = body.length;
  headers.set("content-length", String(body.length));
  if (contentType !== TEXT || !headers.has("content-type")) {
    headers.set("content-type", contentType);
  }
  return body;
}

const TEXT = "text/plain";

/** A response of nothing but a head: the status of the call stands in it, and why. */
function fillGrpcHead(head: ResponseHead, reply: LocalReply, request: RequestHead): void {
  const { headers } = head;
  head.status = 200;
  headers.set("content-type", "application/grpc");
  const status = reply.grpcStatus ?? grpcStatusOf(reply.status);
  if (!headers.has("grpc-status")) headers.set("grpc-status", String(status));
  if (reply.body === "" || request.method === "HEAD") return;
  // The line end of JSON is no part of a message.
  const isJson = reply.contentType === "application/json";
  const message = isJson ? reply.body.replace(/\n$/, "") : reply.body;
  headers.set("grpc-message", percentEncode(message));
}

/** Whether a request is one of gRPC, whichever version of HTTP carries it. */
export function isGrpcRequest({ headers }: RequestHead): boolean {
  const type = headers.first("content-type");
  return type !== undefined && isGrpcContentType(type);
}

/**
 * What a gRPC message may not hold as it is (PROTOCOL-HTTP2.md): control bytes, those beyond ASCII,
 * and `%`; as in Envoy also `~`.
 */
export function percentEncode(text: string): string {
  return text.replace(
    /[^ -$&-}]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
