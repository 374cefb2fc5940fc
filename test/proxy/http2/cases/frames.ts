import {
  FLAG,
  FRAME,
  frame,
  get,
  getBlock,
  headerBlock,
  headers,
  number32,
  settings,
} from "../raw-frames.ts";

/** Frames that both planes must take alike. */
export interface FrameCase {
  readonly name: string;
  readonly listener?: "http2" | "edge" | "tight";
  readonly send: readonly Buffer[];
  /** Behind the preface; SETTINGS where absent. */
  readonly preface?: Buffer;
  /** Where weft differs on purpose: what it does, and why. */
  readonly differs?: { readonly weft: readonly string[]; readonly why: string };
}

const WHOLE = FLAG.endHeaders | FLAG.endStream;
const NONE = Buffer.alloc(0);

/** A GET with these fields instead of its pseudo headers. */
const fields = (...list: readonly (readonly [string, string])[]): readonly Buffer[] => [
  headers(1, headerBlock(list), WHOLE),
];
/** A GET with more fields. */
const plus = (...list: readonly (readonly [string, string])[]): readonly Buffer[] => [
  headers(1, getBlock("/direct", list), WHOLE),
];
const METHOD = [":method", "GET"] as const;
const SCHEME = [":scheme", "http"] as const;
const HOST = [":authority", "one.test"] as const;
const PATH = [":path", "/direct"] as const;

/** Headers that a request may not have, or not so. */
const MALFORMED: readonly FrameCase[] = [
  { name: "no method", send: fields(SCHEME, HOST, PATH) },
  { name: "no scheme", send: fields(METHOD, HOST, PATH) },
  { name: "no path", send: fields(METHOD, SCHEME, HOST) },
  { name: "no authority", send: fields(METHOD, SCHEME, PATH) },
  {
    name: "host instead of the authority",
    send: fields(METHOD, SCHEME, PATH, ["host", "one.test"]),
  },
  { name: "host beside the authority", send: plus(["host", "other.test"]) },
  { name: "an empty path", send: fields(METHOD, SCHEME, HOST, [":path", ""]) },
  { name: "a path without a slash", send: fields(METHOD, SCHEME, HOST, [":path", "direct"]) },
  { name: "two methods", send: fields(METHOD, METHOD, SCHEME, HOST, PATH) },
  { name: "two paths", send: fields(METHOD, SCHEME, HOST, PATH, PATH) },
  { name: "two authorities", send: fields(METHOD, SCHEME, HOST, HOST, PATH) },
  { name: "two schemes", send: fields(METHOD, SCHEME, SCHEME, HOST, PATH) },
  { name: "a scheme that is unknown", send: fields(METHOD, [":scheme", "ftp"], HOST, PATH) },
  { name: "a pseudo header behind others", send: fields(METHOD, SCHEME, ["a", "b"], HOST, PATH) },
  { name: "an unknown pseudo header", send: fields(METHOD, SCHEME, HOST, PATH, [":other", "x"]) },
  { name: "a status in a request", send: fields(METHOD, SCHEME, HOST, PATH, [":status", "200"]) },
  { name: "an upper case name", send: plus(["X-A", "1"]) },
  { name: "a name with a blank", send: plus(["x a", "1"]) },
  { name: "an empty name", send: plus(["", "1"]) },
  { name: "a name with a colon", send: plus(["x:a", "1"]) },
  { name: "a value with a line end", send: plus(["x-a", "1\r\nx-b: 2"]) },
  { name: "a value with NUL", send: plus(["x-a", "1\0"]) },
  { name: "a value with a tab", send: plus(["x-a", "1\t2"]) },
  { name: "a value with blanks around", send: plus(["x-a", " 1 "]) },
  { name: "a value beyond ASCII", send: plus(["x-a", "é"]) },
  { name: "connection", send: plus(["connection", "close"]) },
  { name: "keep-alive", send: plus(["keep-alive", "timeout=5"]) },
  { name: "proxy-connection", send: plus(["proxy-connection", "close"]) },
  { name: "transfer-encoding", send: plus(["transfer-encoding", "chunked"]) },
  { name: "upgrade", send: plus(["upgrade", "websocket"]) },
  { name: "te that is not trailers", send: plus(["te", "gzip"]) },
  { name: "te: trailers", send: plus(["te", "trailers"]) },
  { name: "a length of nothing", send: plus(["content-length", "0"]) },
  { name: "a length that is not true", send: plus(["content-length", "5"]) },
  { name: "a length that is no number", send: plus(["content-length", "x"]) },
  { name: "two lengths", send: plus(["content-length", "0"], ["content-length", "1"]) },
  { name: "a method that is none", send: fields([":method", "G ET"], SCHEME, HOST, PATH) },
  { name: "a CONNECT with a path", send: fields([":method", "CONNECT"], SCHEME, HOST, PATH) },
  { name: "a path with a blank", send: fields(METHOD, SCHEME, HOST, [":path", "/a b"]) },
  { name: "a path with a fragment", send: fields(METHOD, SCHEME, HOST, [":path", "/direct#x"]) },
  { name: "an authority with a blank", send: fields(METHOD, SCHEME, [":authority", "a b"], PATH) },
  { name: "an empty authority", send: fields(METHOD, SCHEME, [":authority", ""], PATH) },
  {
    name: "an upper case authority",
    send: fields(METHOD, SCHEME, [":authority", "ONE.test"], PATH),
  },
];

/** The same where one bad stream does not end the connection. */
const LENIENT: readonly FrameCase[] = [
  "an upper case name",
  "connection",
  "two paths",
  "no path",
].map((name) => ({
  name: `${name}, and the next one is good`,
  listener: "edge",
  send: [...(MALFORMED.find((one) => one.name === name)?.send ?? []), get(3, "/direct")],
}));

const BODY = headers(1, getBlock("/echo"), FLAG.endHeaders);

/** Frames that are wrong, or come at the wrong time. */
const FRAMES: readonly FrameCase[] = [
  { name: "two requests", send: [get(1, "/direct"), get(3, "/bare")] },
  { name: "an even stream", send: [get(2, "/direct")] },
  {
    name: "a stream below the last",
    send: [get(5, "/direct"), get(3, "/direct")],
    differs: {
      weft: ["HEADERS 5 418", "DATA 5 teapot END", "GOAWAY 5"],
      why: "Envoy passes it over",
    },
  },
  { name: "stream 0", send: [get(0, "/direct")] },
  { name: "DATA on stream 0", send: [frame(FRAME.data, 0, 0, Buffer.from("x"))] },
  { name: "DATA on an idle stream", send: [frame(FRAME.data, 0, 1, Buffer.from("x"))] },
  { name: "RST_STREAM on an idle stream", send: [number32(FRAME.reset, 1, 8)] },
  { name: "RST_STREAM on stream 0", send: [number32(FRAME.reset, 0, 8)] },
  { name: "RST_STREAM of three bytes", send: [BODY, frame(FRAME.reset, 0, 1, Buffer.alloc(3))] },
  { name: "WINDOW_UPDATE of nothing", send: [number32(FRAME.windowUpdate, 0, 0)] },
  {
    name: "WINDOW_UPDATE of nothing on a stream",
    send: [BODY, number32(FRAME.windowUpdate, 1, 0)],
    differs: { weft: ["RST_STREAM 1 1"], why: "an error of the stream (RFC 9113 6.9)" },
  },
  { name: "WINDOW_UPDATE on an idle stream", send: [number32(FRAME.windowUpdate, 1, 1)] },
  {
    name: "a window that overflows",
    send: [number32(FRAME.windowUpdate, 0, 0x7fff_ffff), number32(FRAME.windowUpdate, 0, 1)],
  },
  {
    name: "a stream's window that overflows",
    send: [BODY, number32(FRAME.windowUpdate, 1, 0x7fff_ffff)],
    differs: { weft: ["RST_STREAM 1 3"], why: "an error of the stream (RFC 9113 6.9.1)" },
  },
  {
    name: "WINDOW_UPDATE of three bytes",
    send: [frame(FRAME.windowUpdate, 0, 0, Buffer.alloc(3))],
  },
  { name: "SETTINGS of five bytes", send: [frame(FRAME.settings, 0, 0, Buffer.alloc(5))] },
  { name: "SETTINGS on a stream", send: [frame(FRAME.settings, 0, 1, NONE)] },
  {
    name: "an ack of SETTINGS with a payload",
    send: [frame(FRAME.settings, 1, 0, Buffer.alloc(6))],
  },
  { name: "SETTINGS that push twice", send: [settings([[2, 2]])] },
  { name: "SETTINGS with a window that is too large", send: [settings([[4, 0x8000_0000]])] },
  { name: "SETTINGS with frames that are too small", send: [settings([[5, 1]])] },
  { name: "SETTINGS with frames that are too large", send: [settings([[5, 0x100_0000]])] },
  { name: "SETTINGS that nobody knows", send: [settings([[0x99, 7]]), get(1, "/direct")] },
  { name: "PING of seven bytes", send: [frame(FRAME.ping, 0, 0, Buffer.alloc(7))] },
  { name: "PING on a stream", send: [frame(FRAME.ping, 0, 1, Buffer.alloc(8))] },
  { name: "GOAWAY on a stream", send: [frame(FRAME.goaway, 0, 1, Buffer.alloc(8))] },
  {
    name: "GOAWAY, and what was asked before",
    send: [get(1, "/direct"), frame(FRAME.goaway, 0, 0, Buffer.alloc(8))],
  },
  { name: "PUSH_PROMISE", send: [frame(FRAME.push, 4, 1, Buffer.alloc(4))] },
  { name: "PRIORITY", send: [frame(FRAME.priority, 0, 1, Buffer.alloc(5)), get(1, "/direct")] },
  {
    name: "PRIORITY of four bytes",
    send: [frame(FRAME.priority, 0, 1, Buffer.alloc(4)), get(3, "/direct")],
  },
  {
    name: "PRIORITY on stream 0",
    send: [frame(FRAME.priority, 0, 0, Buffer.alloc(5))],
    differs: { weft: ["GOAWAY 1"], why: "Envoy passes it over" },
  },
  {
    name: "a frame that nobody knows",
    send: [frame(0x42, 0, 0, Buffer.alloc(3)), get(1, "/direct")],
  },
  { name: "a frame that is too large", send: [frame(FRAME.ping, 0, 0, Buffer.alloc(20_000))] },
  { name: "DATA that is too large", send: [BODY, frame(FRAME.data, 0, 1, Buffer.alloc(20_000))] },
  {
    name: "CONTINUATION",
    send: [
      headers(1, getBlock("/direct").subarray(0, 10), FLAG.endStream),
      frame(FRAME.continuation, FLAG.endHeaders, 1, getBlock("/direct").subarray(10)),
    ],
  },
  { name: "CONTINUATION of nothing", send: [frame(FRAME.continuation, 4, 1, NONE)] },
  {
    name: "CONTINUATION of another stream",
    send: [
      headers(1, getBlock("/direct"), FLAG.endStream),
      frame(FRAME.continuation, FLAG.endHeaders, 3, NONE),
    ],
  },
  {
    name: "something between HEADERS and CONTINUATION",
    send: [
      headers(1, getBlock("/direct"), FLAG.endStream),
      frame(FRAME.ping, 0, 0, Buffer.alloc(8)),
    ],
  },
  {
    name: "a header block that is cut off",
    send: [headers(1, getBlock("/direct").subarray(0, 12), WHOLE)],
  },
  {
    name: "an index that is not in the table",
    send: [headers(1, Buffer.from([0xff, 0x7f]), WHOLE)],
  },
  { name: "index 0", send: [headers(1, Buffer.from([0x80]), WHOLE)] },
  {
    name: "a table that is too large",
    send: [
      headers(
        1,
        Buffer.concat([Buffer.from([0x3f, 0xff, 0xff, 0x7f]), getBlock("/direct")]),
        WHOLE,
      ),
    ],
  },
  {
    name: "a change of the table behind a field",
    send: [headers(1, Buffer.concat([getBlock("/direct"), Buffer.from([0x20])]), WHOLE)],
  },
  {
    name: "Huffman bits that mean nothing",
    send: [
      headers(
        1,
        Buffer.concat([getBlock("/direct"), Buffer.from([0x10, 0x81, 0x00, 0x00])]),
        WHOLE,
      ),
    ],
  },
  {
    name: "padding",
    send: [
      headers(
        1,
        Buffer.concat([Buffer.from([2]), getBlock("/direct"), Buffer.alloc(2)]),
        WHOLE | FLAG.padded,
      ),
    ],
  },
  {
    name: "padding that is longer than the frame",
    send: [
      headers(1, Buffer.concat([Buffer.from([255]), getBlock("/direct")]), WHOLE | FLAG.padded),
    ],
  },
  {
    name: "DATA behind the end",
    send: [headers(1, getBlock("/silent"), WHOLE), frame(FRAME.data, 0, 1, Buffer.from("x"))],
  },
  {
    name: "HEADERS behind the end",
    send: [headers(1, getBlock("/silent"), WHOLE), headers(1, getBlock("/silent"), WHOLE)],
  },
  {
    name: "trailers that do not end",
    send: [BODY, headers(1, headerBlock([["x-t", "1"]]), FLAG.endHeaders)],
  },
  {
    name: "trailers with a pseudo header",
    send: [BODY, headers(1, headerBlock([[":path", "/"]]), WHOLE)],
  },
  {
    name: "a body that is shorter than its length",
    send: [
      headers(1, getBlock("/echo", [["content-length", "5"]]), FLAG.endHeaders),
      frame(FRAME.data, FLAG.endStream, 1, Buffer.from("abc")),
    ],
  },
  {
    name: "a body that is longer than its length",
    send: [
      headers(1, getBlock("/echo", [["content-length", "2"]]), FLAG.endHeaders),
      frame(FRAME.data, FLAG.endStream, 1, Buffer.from("abc")),
    ],
  },
  {
    name: "a stream that depends on itself",
    send: [
      headers(
        1,
        Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), getBlock("/direct")]),
        WHOLE | FLAG.priority,
      ),
    ],
  },
  {
    name: "no preface",
    preface: Buffer.from("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n"),
    send: [],
  },
  {
    name: "a preface without SETTINGS",
    preface: Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    send: [get(1, "/direct")],
  },
];

export const FRAME_CASES: readonly FrameCase[] = [...MALFORMED, ...LENIENT, ...FRAMES];
