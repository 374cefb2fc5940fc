import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectTcp } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GrpcCall } from "../../src/ads/grpc-call.ts";
import { GrpcMessage } from "../../src/ads/grpc-message.ts";
import { GrpcServer } from "../../src/ads/grpc-server.ts";
import { GRPC_STATUS } from "../../src/ads/grpc-status.ts";
import { AGE_GRACE_MS, KEEPALIVE_DEFAULT } from "../../src/base/keepalive.ts";
import { createPrng } from "../../src/base/prng.ts";
import { SimClock } from "../../src/base/sim-clock.ts";
import { until } from "./until.ts";

const BYTES_MAX = 100_000;
const WAIT_MS = 1000;

let clock: SimClock;
let server: GrpcServer;
let port: number;
let session: ClientHttp2Session;
/** Calls of a method that sends every message back. */
let echoes: GrpcCall[];
/** How many of them are over. */
let ended: number;

beforeEach(async () => {
  clock = new SimClock();
  echoes = [];
  ended = 0;
  const echo = (call: GrpcCall): void => {
    echoes.push(call);
    call.listen({
      onMessage: (bytes) => call.write(new GrpcMessage([bytes]), () => undefined),
      onClose: () => (ended += 1),
    });
  };
  const methods = new Map([["/test.Echo/Echo", echo]]);
  server = new GrpcServer({ clock, methods, messageBytesMax: BYTES_MAX });
  port = await server.listen("127.0.0.1:0");
  session = connect(`http://127.0.0.1:${port}`);
});

afterEach(async () => {
  session.destroy();
  await server.close(WAIT_MS);
});

interface Answer {
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  bytes: Buffer;
  isClosed: boolean;
}

/** Opens a call; what comes is kept as it comes. */
function open(headers: OutgoingHttpHeaders = {}): { stream: ClientHttp2Stream; answer: Answer } {
  const stream = session.request({
    ":method": "POST",
    ":path": "/test.Echo/Echo",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const answer: Answer = { headers: {}, trailers: {}, bytes: Buffer.alloc(0), isClosed: false };
  stream.on("response", (got) => (answer.headers = got));
  stream.on("trailers", (got) => (answer.trailers = got));
  stream.on("data", (chunk: Buffer) => (answer.bytes = Buffer.concat([answer.bytes, chunk])));
  stream.on("close", () => (answer.isClosed = true));
  stream.on("error", () => undefined);
  return { stream, answer };
}

function framed(size: number, fill = "x"): Buffer {
  return Buffer.concat(new GrpcMessage([Buffer.alloc(size, fill)]).pieces);
}

describe("GrpcServer", () => {
  test("sends messages of all sizes back, however they are cut, and ends with OK", async () => {
    const { stream, answer } = open();
    const sent = Buffer.concat([0, 1, 20_000, 5, BYTES_MAX, 0].map((size) => framed(size)));
    for (const at of [2, 7, 9, 20_000, 20_017, 70_000, sent.length]) {
      const from = [0, 2, 7, 9, 20_000, 20_017, 70_000].findLast((one) => one < at) ?? 0;
      stream.write(sent.subarray(from, at));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => answer.bytes.length === sent.length, "all to come back");
    expect(answer.bytes.equals(sent)).toBe(true);
    expect(answer.headers).toMatchObject({ ":status": 200, "content-type": "application/grpc" });
    stream.end();
    await until(() => answer.isClosed, "the end");
    expect(answer.trailers).toMatchObject({ "grpc-status": "0" });
    expect(ended).toBe(1);
  });

  test("says a status with its text after what was written", async () => {
    const { stream, answer } = open();
    stream.write(framed(3));
    await until(() => answer.bytes.length > 0, "the message");
    const details = 'node.id: "ü" is 100% wrong\n';
    echoes[0]?.write(new GrpcMessage([Buffer.alloc(50_000)]), () => undefined);
    echoes[0]?.end({ code: GRPC_STATUS.INVALID_ARGUMENT, details });
    await until(() => answer.trailers["grpc-status"], "the status");
    expect(answer.bytes.length).toBe(framed(3).length + framed(50_000).length);
    expect(answer.trailers["grpc-status"]).toBe("3");
    expect(decodeURIComponent(String(answer.trailers["grpc-message"]))).toBe(details);
    expect(ended).toBe(1);
  });

  test.each([
    ["no method of its", { ":path": "/test.Echo/Other" }, 12, "no method /test.Echo/Other"],
    [
      "an encoding",
      { "grpc-encoding": "gzip" },
      12,
      'grpc-encoding "gzip": only identity is spoken',
    ],
    ["a time that is none", { "grpc-timeout": "soon" }, 13, 'grpc-timeout "soon" is none'],
  ])("refuses %s with a status", async (_what, headers, code, text) => {
    const { answer } = open(headers);
    await until(() => answer.headers["grpc-status"], "the refusal");
    expect(answer.headers).toMatchObject({ ":status": 200, "grpc-status": String(code) });
    expect(answer.headers["grpc-message"]).toBe(text);
    expect(echoes).toEqual([]);
  });

  test.each([
    [{ ":method": "GET" }, 405],
    [{ "content-type": "application/json" }, 415],
    [{ "content-type": "application/grpcx" }, 415],
  ])("refuses what is no call: %j", async (headers, status) => {
    const { answer } = open(headers);
    await until(() => answer.headers[":status"], "the refusal");
    expect(answer.headers[":status"]).toBe(status);
    expect(echoes).toEqual([]);
  });

  test("refuses a message that is too large before it has come", async () => {
    const { stream, answer } = open();
    stream.write(framed(BYTES_MAX + 1).subarray(0, 5));
    await until(() => answer.headers["grpc-status"], "the refusal");
    expect(answer.headers).toMatchObject({ "grpc-status": "8" });
    expect(answer.headers["grpc-message"]).toContain(`at most ${BYTES_MAX}`);
  });

  test("refuses a compressed message, and one that breaks off", async () => {
    const [compressed, broken] = [open(), open()];
    compressed.stream.write(Buffer.from([1, 0, 0, 0, 0]));
    broken.stream.end(framed(10).subarray(0, 8));
    await until(() => compressed.answer.headers["grpc-status"], "the first refusal");
    await until(() => broken.answer.headers["grpc-status"], "the second refusal");
    expect(compressed.answer.headers).toMatchObject({ "grpc-status": "13" });
    expect(broken.answer.headers).toMatchObject({ "grpc-status": "13" });
  });

  test("ends a call at the client's deadline", async () => {
    const { answer } = open({ "grpc-timeout": "3S" });
    await until(() => echoes.length === 1, "the call");
    await clock.advance(2999);
    expect(ended).toBe(0);
    await clock.advance(1);
    await until(() => answer.headers["grpc-status"], "the end");
    expect(answer.headers).toMatchObject({ "grpc-status": "4" });
  });

  test("hands over nothing while it is paused, and all of it afterwards", async () => {
    const { stream, answer } = open();
    stream.write(framed(1));
    await until(() => answer.bytes.length > 0, "the first");
    echoes[0]?.pause();
    stream.end(Buffer.concat([framed(2), framed(3)]));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answer.bytes.length).toBe(framed(1).length);
    echoes[0]?.resume();
    await until(() => answer.isClosed, "the end");
    expect(answer.bytes.length).toBe(framed(1).length + framed(2).length + framed(3).length);
  });

  test("resets a call whose last words are not read", async () => {
    const { stream, answer } = open();
    stream.write(framed(1));
    await until(() => answer.bytes.length > 0, "the first");
    stream.pause();
    const written: string[] = [];
    echoes[0]?.write(new GrpcMessage([Buffer.alloc(1_000_000)]), () => written.push("written"));
    echoes[0]?.end({ code: GRPC_STATUS.DEADLINE_EXCEEDED, details: "responses are not read" });
    expect(ended).toBe(1);
    await clock.advance(10_000);
    await until(() => stream.rstCode !== 0 || answer.isClosed, "the reset");
    await until(() => written.length === 1, "the write to be over");
  });

  test("tells clients that it goes, and lets calls end first", async () => {
    const { stream, answer } = open();
    stream.write(framed(1));
    await until(() => answer.bytes.length > 0, "the first");
    const goaway = once(session, "goaway");
    const closed = server.close(WAIT_MS);
    const [code] = (await goaway) as [number];
    expect(code).toBe(0);
    stream.end(framed(2));
    await closed;
    expect(answer.bytes.length).toBe(framed(1).length + framed(2).length);
    expect(answer.trailers).toMatchObject({ "grpc-status": "0" });
  });

  test("cuts who does not go, when it closes", async () => {
    const { answer } = open();
    await until(() => echoes.length === 1, "the call");
    const closed = server.close(WAIT_MS);
    await clock.advance(WAIT_MS);
    await closed;
    await until(() => answer.isClosed, "the end");
    expect(ended).toBe(1);
  });

  test("closes connections that are silent, and only those", async () => {
    const { answer } = open();
    await until(() => echoes.length === 1, "the call");
    const silent = connectTcp(port, "127.0.0.1");
    // A client's preface with empty settings, and never an answer.
    silent.write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1"));
    silent.resume();
    silent.on("error", () => undefined);
    let isClosed = false;
    silent.on("close", () => (isClosed = true));
    await once(silent, "data");
    const pinged = once(session, "ping");
    await clock.advance(30_000);
    await pinged;
    // Its own is answered after the server has read the answer to the other.
    await new Promise((resolve) => session.ping(resolve));
    await clock.advance(10_000);
    await until(() => isClosed, "the silent one to be cut");
    expect(answer.isClosed).toBe(false);
    expect(clock.timersPending).toBe(1);
  });

  test("has clients connect anew when a connection is old, not all at one moment", async () => {
    const calls: GrpcCall[] = [];
    const methods = new Map([["/test.Echo/Echo", (call: GrpcCall) => void calls.push(call)]]);
    const aging = new GrpcServer({
      clock,
      methods,
      messageBytesMax: BYTES_MAX,
      keepalive: { ...KEEPALIVE_DEFAULT, ageMsMax: 1000 },
      prng: createPrng(3),
    });
    const agingPort = await aging.listen("127.0.0.1:0");
    let [told, closed] = [0, 0];
    const sessions = Array.from({ length: 10 }, () => connect(`http://127.0.0.1:${agingPort}`));
    for (const one of sessions) {
      one.on("goaway", () => (told += 1));
      one.on("close", () => (closed += 1));
      one.on("error", () => undefined);
      const call = one.request({
        ":method": "POST",
        ":path": "/test.Echo/Echo",
        "content-type": "application/grpc",
      });
      call.on("error", () => undefined);
    }
    try {
      await until(() => calls.length === 10, "the calls");
      const prng = createPrng(3);
      const ages = sessions.map(() => 900 + 200 * prng.next());
      const early = ages.filter((age) => age < 1000).length;
      await clock.advance(1000);
      await until(() => told === early, "some to be told");
      expect(early).toBeGreaterThan(0);
      expect(early).toBeLessThan(10);
      await clock.advance(100);
      await until(() => told === 10, "all to be told");
      expect(closed).toBe(0);
      // A call that goes on has so long to end by itself.
      await clock.advance(AGE_GRACE_MS);
      await until(() => closed === 10, "all to be cut");
    } finally {
      for (const one of sessions) one.destroy();
      await aging.close(WAIT_MS);
    }
  });

  test("says that an address is taken", async () => {
    const { methods, messageBytesMax } = { methods: new Map(), messageBytesMax: BYTES_MAX };
    const second = new GrpcServer({ clock, methods, messageBytesMax });
    await expect(second.listen(`127.0.0.1:${port}`)).rejects.toThrow("EADDRINUSE");
    await second.close(WAIT_MS);
  });
});
