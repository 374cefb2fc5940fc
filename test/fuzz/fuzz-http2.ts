import type { Socket } from "node:net";
import { createPrng } from "../../src/base/prng.ts";
import type { ProxyContext } from "../../src/proxy/context.ts";
import { HeaderList } from "../../src/proxy/http/header-list.ts";
import { RequestHead } from "../../src/proxy/http/message-head.ts";
import { HTTP2_DEFAULTS } from "../../src/proxy/http2/http2-options.ts";
import { Http2Stream, type StreamHandler } from "../../src/proxy/http2/http2-stream.ts";
import { Http2Session } from "../../src/proxy/http2/session.ts";
import { ByteSender } from "../../src/proxy/net/byte-sender.ts";
import { FlushQueue } from "../../src/proxy/net/flush-queue.ts";
import { http2Counters } from "../../src/proxy/stats/http2-stats.ts";
import type { FuzzReport } from "./fuzz.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** GET / at a host, every field by the static table or plain. */
const REQUEST = Buffer.from("8286840105686f73742e", "hex");
const GOOD = Buffer.concat([Buffer.from("828684", "hex"), Buffer.from("\x41\x01a", "latin1")]);

/** Sends back what comes. */
class Echo implements StreamHandler<RequestHead> {
  readonly head = new RequestHead();
  readonly stream: Http2Stream<RequestHead> = new Http2Stream(this);
  onHead(isEnd: boolean): void {
    this.stream.sendResponse(200, new HeaderList(), isEnd);
  }
  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.stream.sendBytes(buffer, from, to);
  }
  onBodyEnd(trailers?: HeaderList): void {
    this.stream.sendEnd(trailers);
  }
  onReadEnd(): void {}
  onSendDrain(): void {}
  onStreamEnd(): void {}
}

/** Frames of which some are right; each case has its own seed. */
function createFrames(seed: number): Buffer {
  const prng = createPrng(seed);
  const below = (max: number): number => Math.floor(prng.next() * max);
  const frames = [PREFACE, Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])];
  for (let count = below(30); count > 0; count--) {
    const isRequest = below(2) === 0;
    const blocks = [
      REQUEST,
      GOOD,
      Buffer.from(GOOD.map((byte) => (below(9) === 0 ? below(256) : byte))),
    ];
    const noise = Buffer.from(Array.from({ length: below(24) }, () => below(256)));
    const payload = isRequest ? (blocks[below(3)] ?? GOOD) : noise;
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = isRequest ? 1 : below(11);
    head[4] = isRequest ? 4 | below(2) : below(256);
    head.writeUInt32BE(below(5) === 0 ? 0 : below(8) * 2 + 1, 5);
    frames.push(head, payload);
  }
  return Buffer.concat(frames);
}

/** What a session that read these frames left behind, in pieces of a random size; `undefined`: nothing. */
function tryFrames(seed: number): string | undefined {
  const bytes = createFrames(seed);
  const counters = http2Counters();
  const socket = { write: () => true, writableLength: 0, connecting: false, destroyed: false };
  const queue = new FlushQueue(undefined);
  const session = new Http2Session(
    {
      side: "server",
      options: HTTP2_DEFAULTS,
      limits: { headBytesMax: 61_440, headerCountMax: 100, underscores: "allow" },
      counters,
      out: new ByteSender(socket as unknown as Socket, queue),
      // Only the pings of `connection_keepalive` ask for it.
      context: {} as ProxyContext,
    },
    {
      accept: () => new Echo().stream,
      onStreamClosed() {},
      onGoAway() {},
      onSettings() {},
      onSessionEnd() {},
    },
  );
  const size = 1 + ((Math.imul(seed, 7) >>> 0) % 40);
  try {
    session.start();
    for (let at = 0; at < bytes.length; at += size) {
      const piece = Buffer.from(bytes.subarray(at, at + size));
      session.onBytes(piece, piece.length);
    }
    session.onClose("");
  } catch (error) {
    return `threw ${error instanceof Error ? error.stack : String(error)}`;
  }
  const left = counters.streams_active + counters.pending_send_bytes + session.streams.size;
  return left === 0 ? undefined : `left ${JSON.stringify(counters)}`;
}

/** Gives sessions of HTTP/2 frames that are partly wrong, until `isOver` or one fails. */
export function fuzzHttp2(seed: number, isOver: () => boolean): FuzzReport {
  for (let index = 0; ; index++) {
    if (index % 64 === 0 && isOver()) return { cases: index, failure: undefined };
    const own = Math.imul(seed, 0x9e3779b1) + index;
    const problem = tryFrames(own);
    if (problem === undefined) continue;
    const frames = createFrames(own).toString("hex");
    return { cases: index + 1, failure: `case ${index} of seed ${seed}: ${problem}\n${frames}` };
  }
}
