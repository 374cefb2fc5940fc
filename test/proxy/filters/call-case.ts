import type { OutgoingHttpHeaders } from "node:http2";
import type { H2Script } from "../http2/h2-upstream.ts";
import type { Script } from "../scripted-upstream.ts";

/** A call through filters of gRPC, which weft's proxy and Envoy must do alike. */
export interface CallCase {
  readonly name: string;
  /** Before the router. */
  readonly filters: readonly object[];
  /** Merged into the connection manager's. */
  readonly options?: object;
  /** Merged into the listener. */
  readonly listener?: object;
  /** What the client speaks. */
  readonly over: "HTTP/1.1" | "HTTP/2";
  /** Behind the path that the case has for itself. */
  readonly query?: string;
  readonly headers?: OutgoingHttpHeaders;
  /** Parts go out a moment after one another; absent is no body at all. */
  readonly body?: readonly (string | Buffer)[];
  readonly requestTrailers?: OutgoingHttpHeaders;
  /** What the upstream does, over HTTP/2 or, as text, over HTTP/1.1; `none` listens nowhere. */
  readonly script: H2Script | Script | "none";
  /** Of the answer; 0 for none. */
  readonly status: number;
  /** What may differ, and why stands beside the case. */
  readonly ignores?: readonly ("upstream" | "log" | "body" | "content-length")[];
  /** Part of the answer's body, or of its headers, trailers included. */
  readonly says?: string;
}

/** A message of gRPC. */
export function message(text: string | Buffer, flags = 0): Buffer {
  const bytes = Buffer.from(text);
  const prefix = Buffer.from([flags, 0, 0, 0, 0]);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** What an upstream of gRPC answers: messages, and trailers with a status. */
export function answer(
  messages: readonly (string | Buffer)[],
  trailers: OutgoingHttpHeaders = { "grpc-status": "0" },
): H2Script {
  return {
    headers: { ":status": 200, "content-type": "application/grpc" },
    body: messages.map((one) => (typeof one === "string" ? message(one) : one)),
    trailers,
  };
}

/** Cases that share what is not said of them. */
export function callCases(
  common: Pick<CallCase, "filters" | "over"> & Partial<CallCase>,
  cases: readonly (Pick<CallCase, "name" | "script" | "status"> & Partial<CallCase>)[],
): readonly CallCase[] {
  return cases.map((one) => ({ ...common, ...one }));
}
