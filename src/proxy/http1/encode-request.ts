import type { ConnectionConfig } from "../cluster/cluster-config.ts";
import type { HeaderList } from "../http/header-list.ts";
import { CODING, type RequestHead } from "../http/message-head.ts";
import type { Sender } from "../net/sender.ts";
import { formatNames } from "./header-case.ts";
import { encodeLastChunk } from "./last-chunk.ts";

/** Methods without a body, for which no `content-length: 0` is sent; as Envoy has it. */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);

/** A request head as it goes to an upstream, with its empty line. */
export function encodeRequestHead(
  head: RequestHead,
  scheme: string,
  { sendsFullUrl, nameFormat }: ConnectionConfig,
): string {
  const origin = sendsFullUrl ? `${scheme}://${head.authority}` : "";
  // A CONNECT has no path.
  const target = head.path === "" ? head.authority : origin + head.path;
  let text = `${head.method} ${target} HTTP/1.1\r\nhost: ${head.authority}\r\n${head.headers.encode()}`;
  if (head.upgrade !== "") {
    text += `connection: ${head.connection}\r\nupgrade: ${head.upgrade}\r\n`;
  } else if (head.coding === CODING.chunked) {
    text += "transfer-encoding: chunked\r\n";
  } else if (head.contentLength === -1 && !BODILESS.has(head.method)) {
    text += "content-length: 0\r\n";
  }
  return formatNames(`${text}\r\n`, nameFormat);
}

/** Part of a request's body, in the framing that its head announced; answers how much was written. */
export function writeRequestBytes(
  out: Sender,
  coding: number,
  buffer: Buffer,
  from: number,
  to: number,
): number {
  if (coding !== CODING.chunked) {
    out.bytes(buffer, from, to);
    return to - from;
  }
  const size = `${(to - from).toString(16)}\r\n`;
  out.text(size);
  out.bytes(buffer, from, to);
  out.text("\r\n");
  return size.length + to - from + 2;
}

/** The end of a request's body, with its trailers where the upstream gets any; likewise. */
export function writeRequestEnd(
  out: Sender,
  coding: number,
  trailers: HeaderList | undefined,
  { passesTrailers }: ConnectionConfig,
): number {
  if (coding !== CODING.chunked) return 0;
  const text = encodeLastChunk(passesTrailers ? trailers : undefined);
  out.text(text);
  return text.length;
}
