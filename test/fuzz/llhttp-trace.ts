import { createRequire } from "node:module";
import type { Kind } from "./http-input.ts";
import type { Trace, TracedMessage } from "./trace.ts";

/** Node's binding of llhttp, which its types leave out: synchronous, without a server around it. */
interface LlhttpParser {
  initialize(kind: number, resource: object, headBytesMax: number, lenient: number): void;
  execute(bytes: Buffer): number | (Error & { readonly code: string });
  finish(): unknown;
  [callback: number]: unknown;
}
interface LlhttpBinding {
  new (): LlhttpParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientSpacesAfterChunkSize: number;
}

const { HTTPParser, methods } = createRequire(import.meta.url)("node:_http_common") as {
  readonly HTTPParser: LlhttpBinding;
  readonly methods: readonly string[];
};

const HEAD_BYTES_MAX = 65_536;

/** Reads with llhttp as strictly as it can, but for blanks after a chunk's size, which Envoy takes. */
export function traceLlhttp(kind: Kind, text: string): Trace {
  const trace: { messages: TracedMessage[]; end: string } = { messages: [], end: "open" };
  const parser = new HTTPParser();
  parser.initialize(
    kind === "request" ? HTTPParser.REQUEST : HTTPParser.RESPONSE,
    {},
    HEAD_BYTES_MAX,
    HTTPParser.kLenientSpacesAfterChunkSize,
  );
  let headers: string[] = [];
  let url = "";
  const take = (pairs: readonly string[]): void => {
    for (let at = 0; at < pairs.length; at += 2) {
      headers.push(`${(pairs[at] ?? "").toLowerCase()}: ${pairs[at + 1] ?? ""}`);
    }
  };
  // Long heads come in parts.
  parser[HTTPParser.kOnHeaders] = (pairs: readonly string[], target: string): void => {
    take(pairs);
    url += target;
  };
  parser[HTTPParser.kOnHeadersComplete] = (...all: readonly unknown[]): number => {
    const [, , pairs, method, target, status] = all;
    take((pairs as readonly string[] | undefined) ?? []);
    url += (target as string | undefined) ?? "";
    const first = kind === "request" ? `${methods[Number(method)]} ${url}` : String(status);
    trace.messages.push({ first, headers, body: "", isWhole: false });
    headers = [];
    url = "";
    return 0;
  };
  parser[HTTPParser.kOnBody] = (bytes: Buffer): void => {
    const message = trace.messages.at(-1);
    if (message !== undefined) message.body += bytes.toString("latin1");
  };
  parser[HTTPParser.kOnMessageComplete] = (): void => {
    const message = trace.messages.at(-1);
    if (message !== undefined) message.isWhole = true;
    // Trailers came like headers, with the target once more.
    headers = [];
    url = "";
  };
  const bytes = Buffer.from(text, "latin1");
  const result = parser.execute(bytes);
  if (typeof result !== "number") trace.end = result.code;
  else if (result < bytes.length) trace.end = "over";
  else parser.finish();
  return trace;
}
