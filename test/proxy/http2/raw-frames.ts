import { connect } from "node:net";

/** RFC 9113 6: the types of frames. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** Flags of frames: `ack` of SETTINGS and PING is the bit of `endStream`. */
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** The bytes of one frame; written apart from the proxy's own codec. */
export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals that are never indexed (RFC 7541 6.2.3), as they are given. */
export function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, "latin1");
    return Buffer.concat([lengthOf(bytes.length), bytes]);
  };
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0x10]), text(name), text(value)]),
  );
}

/** An integer with a prefix of seven bits. */
function lengthOf(length: number): Buffer {
  if (length < 127) return Buffer.from([length]);
  const bytes = [127];
  let rest = length - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** The pseudo headers of a GET, with others behind them. */
export function getBlock(
  path = "/",
  more: readonly (readonly [string, string])[] = [],
  authority = "one.test",
): Buffer {
  return headerBlock([
    [":method", "GET"],
    [":scheme", "http"],
    [":authority", authority],
    [":path", path],
    ...more,
  ]);
}

/** A whole request in one frame. */
export function get(stream: number, path = "/"): Buffer {
  return headers(stream, getBlock(path), FLAG.endHeaders | FLAG.endStream);
}

export function headers(stream: number, block: Buffer, flags: number): Buffer {
  return frame(FRAME.headers, flags, stream, block);
}

/** A frame whose payload is one number of 32 bits: RST_STREAM, WINDOW_UPDATE. */
export function number32(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value >>> 0);
  return frame(type, 0, stream, payload);
}

export function settings(values: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.alloc(values.length * 6);
  for (const [at, [id, value]] of values.entries()) {
    payload.writeUInt16BE(id, at * 6);
    payload.writeUInt32BE(value >>> 0, at * 6 + 2);
  }
  return frame(FRAME.settings, 0, 0, payload);
}

/** What a server said, a line for each frame: SETTINGS, WINDOW_UPDATE and answers to PING left out. */
export interface FramesSeen {
  readonly frames: readonly string[];
  readonly end: "closed" | "open";
}

/** What every client says first. */
export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const ANSWER_MS_MAX = 5_000;
/** Whoever says nothing for so long has said all. */
const QUIET_MS = 400;

/** Sends exactly these bytes behind a preface and empty SETTINGS, and reads until it is quiet. */
export async function exchangeFrames(
  port: number,
  sent: readonly Buffer[],
  { preface = Buffer.concat([PREFACE, settings([])]) }: { readonly preface?: Buffer } = {},
): Promise<FramesSeen> {
  const socket = connect(port, "127.0.0.1");
  const seen: string[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let end: FramesSeen["end"] = "open";
  await new Promise<void>((resolve) => {
    let quiet: NodeJS.Timeout | undefined;
    const whole = setTimeout(resolve, ANSWER_MS_MAX);
    const moved = (): void => {
      clearTimeout(quiet);
      quiet = setTimeout(done, QUIET_MS);
    };
    const done = (): void => {
      clearTimeout(whole);
      clearTimeout(quiet);
      resolve();
    };
    socket.on("data", (bytes: Buffer) => {
      rest = takeFrames(Buffer.concat([rest, bytes]), seen);
      moved();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      end = "closed";
      done();
    });
    socket.write(preface);
    for (const bytes of sent) socket.write(bytes);
    moved();
  });
  socket.destroy();
  // Which stream is answered first is chance, what is said of one is not.
  return { frames: seen.toSorted((a, b) => streamOf(a) - streamOf(b)), end };
}

function streamOf(line: string): number {
  return line.startsWith("GOAWAY") ? Number.POSITIVE_INFINITY : Number(line.split(" ")[1]);
}

/** Adds a line for each whole frame; what is left of the bytes. */
function takeFrames(bytes: Buffer, seen: string[]): Buffer {
  let at = 0;
  while (at + 9 <= bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    if (at + 9 + length > bytes.length) break;
    const payload = bytes.subarray(at + 9, at + 9 + length);
    const line = describe(
      bytes[at + 3] ?? 0,
      bytes[at + 4] ?? 0,
      bytes.readUInt32BE(at + 5),
      payload,
    );
    if (line !== undefined) seen.push(line);
    at += 9 + length;
  }
  return bytes.subarray(at);
}

function describe(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer,
): string | undefined {
  const end = (flags & FLAG.endStream) === 0 ? "" : " END";
  switch (type) {
    case FRAME.headers:
      return `HEADERS ${stream} ${statusOf(payload)}${end}`;
    case FRAME.data:
      return `DATA ${stream} ${payload.toString("latin1")}${end}`;
    case FRAME.reset:
      return `RST_STREAM ${stream} ${payload.readUInt32BE(0)}`;
    case FRAME.goaway:
      return `GOAWAY ${payload.readUInt32BE(4)}`;
    default:
      return undefined;
  }
}

/** RFC 7541, appendices A and B: what of them a status needs. */
const INDEXED = [200, 204, 206, 304, 400, 404, 500];
const DIGIT_CODES: readonly string[] = [
  "00000",
  "00001",
  "00010",
  "011001",
  "011010",
  "011011",
  "011100",
  "011101",
  "011110",
  "011111",
];

/** The status, which stands first in a block of a response; "?" behind other fields. */
function statusOf(block: Buffer): string {
  // A change of the table's size may stand before it.
  const from = block.findIndex((byte) => (byte & 0xe0) !== 0x20);
  const first = block[from] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return String(INDEXED[first - 0x88]);
  if (first !== 0x48 && first !== 0x08 && first !== 0x18) return "?";
  const length = block[from + 1] ?? 0;
  const value = block.subarray(from + 2, from + 2 + (length & 0x7f));
  if ((length & 0x80) === 0) return value.toString("latin1");
  let bits = [...value].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  let digits = "";
  while (digits.length < 3) {
    const digit = DIGIT_CODES.findIndex((code) => bits.startsWith(code));
    if (digit === -1) return "?";
    digits += String(digit);
    bits = bits.substring(DIGIT_CODES[digit]?.length ?? 0);
  }
  return digits;
}
