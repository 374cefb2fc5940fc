import { FRAMING } from "../http1/body-reader.ts";
import { CODING, type MessageHead, type RequestHead, type ResponseHead } from "./message-head.ts";

/** How the end of a request's body is found: one of `FRAMING` (RFC 9112 6.3). */
export function requestFraming(head: RequestHead, isTunnel: boolean): number {
  if (isTunnel) return FRAMING.untilClose;
  if (head.coding === CODING.chunked) return FRAMING.chunked;
  return head.contentLength > 0 ? FRAMING.length : FRAMING.none;
}

/** How the end of a final response's body is found: one of `FRAMING` (RFC 9112 6.3). */
export function responseFraming(head: ResponseHead, method: string): number {
  const { status } = head;
  if (status === 101 || opensTunnel(method, status)) return FRAMING.untilClose;
  if (method === "HEAD" || status === 204 || status === 304) return FRAMING.none;
  if (head.coding === CODING.chunked) return FRAMING.chunked;
  return head.contentLength === -1 ? FRAMING.untilClose : FRAMING.length;
}

/** Whether the answer to a CONNECT says that everything behind it is what the tunnel carries. */
export function opensTunnel(method: string, status: number): boolean {
  return status >= 200 && status < 300 && method === "CONNECT";
}

/**
 * Takes away the framing that a response without a body may not have (RFC 9110 8.6): false when it
 * claims one, and whoever reads on would disagree on where the next response starts.
 */
export function dropFraming(head: MessageHead): boolean {
  if (head.coding !== CODING.none || head.contentLength > 0) return false;
  if (head.contentLength === 0) {
    head.headers.remove("content-length");
    head.contentLength = -1;
  }
  return true;
}
