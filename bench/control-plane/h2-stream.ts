import { createConnection, type Socket } from "node:net";

// Frame types and flags of HTTP/2 (RFC 9113, section 6).
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const FLAG_ACK = 1;
const FLAG_END_STREAM = 1;
const FLAG_END_HEADERS = 4;
const FLAG_PADDED = 8;
const SETTING_INITIAL_WINDOW = 4;

const FRAME_HEAD = 9;
const FRAME_BYTES_MAX = 16_384;
const WINDOW_DEFAULT = 65_535;
const WINDOW_MAX = 0x7fff_ffff;
/** So much is taken in before the other side is told that it may send as much again. */
const WINDOW_STEP = 64 * 1024 * 1024;
const GRPC_HEAD = 5;
const READ_BYTES = 1024 * 1024;

/** What a stream tells its owner. */
export interface StreamHandlers {
  onMessage(message: Buffer): void;
  /** The stream is over, for whatever reason; nothing follows. */
  onEnd(reason: string): void;
}

// All sockets of a process are read in turn, so one buffer serves them all.
const readBuffer = Buffer.allocUnsafe(READ_BYTES);

/**
 * One gRPC call in both directions on a connection of its own, over HTTP/2 in plain text, doing only what a load client must: no
 * header is decoded, no promise made, and a message is copied once. A library would cost more than
 * what is measured.
 */
export class H2Stream {
  readonly #socket: Socket;
  readonly #handlers: StreamHandlers;
  /** A frame's head, or what follows it and is no DATA, as far as it has come. */
  readonly #head = Buffer.allocUnsafe(FRAME_HEAD);
  #headLength = 0;
  #frameType = -1;
  #frameFlags = 0;
  #frameLeft = 0;
  #control: Buffer[] = [];
  /** Bytes of padding at the end of the DATA frame; -1: their number is still to come. */
  #padding = 0;
  readonly #messageHead = Buffer.allocUnsafe(GRPC_HEAD);
  #messageHeadLength = 0;
  #message: Buffer | undefined;
  #messageLength = 0;
  #unacknowledged = 0;
  /** What the server takes at this moment: on the connection, on the stream. */
  #connectionWindow = WINDOW_DEFAULT;
  #streamWindow = WINDOW_DEFAULT;
  #initialWindow = WINDOW_DEFAULT;
  #queue: Buffer[] = [];
  #hasEnded = false;
  bytesReceived = 0;

  constructor(port: number, path: string, handlers: StreamHandlers) {
    this.#handlers = handlers;
    this.#socket = createConnection({
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length, buffer) => {
          this.#read(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    });
    this.#socket.on("error", (error) => this.#end(error.message));
    this.#socket.on("close", () => this.#end("connection closed"));
    this.#socket.write(opening(path));
  }

  /** Sends one message, as soon as the server has room for it. */
  send(message: Buffer): void {
    const framed = Buffer.allocUnsafe(GRPC_HEAD + message.length);
    framed[0] = 0;
    framed.writeUInt32BE(message.length, 1);
    message.copy(framed, GRPC_HEAD);
    this.#queue.push(framed);
    this.#flush();
  }

  close(): void {
    this.#hasEnded = true;
    this.#socket.destroy();
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.close();
    this.#handlers.onEnd(reason);
  }

  #flush(): void {
    const out: Buffer[] = [];
    for (;;) {
      const [next] = this.#queue;
      if (next === undefined) break;
      const room = Math.min(this.#connectionWindow, this.#streamWindow, FRAME_BYTES_MAX);
      if (room <= 0) break;
      const part = next.subarray(0, room);
      if (part.length === next.length) this.#queue.shift();
      else this.#queue[0] = next.subarray(room);
      this.#connectionWindow -= part.length;
      this.#streamWindow -= part.length;
      out.push(frameHead(DATA, 0, 1, part.length), part);
    }
    if (out.length > 0) this.#socket.write(Buffer.concat(out));
  }

  #read(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    let at = 0;
    while (at < chunk.length && !this.#hasEnded) {
      if (this.#frameType === -1) at = this.#readHead(chunk, at);
      if (this.#frameType === -1) break;
      const end = Math.min(chunk.length, at + this.#frameLeft);
      const part = chunk.subarray(at, end);
      this.#frameLeft -= part.length;
      at = end;
      if (this.#frameType === DATA) this.#readData(part);
      else if (part.length > 0) this.#control.push(Buffer.from(part));
      if (this.#frameLeft === 0) this.#endFrame();
    }
  }

  #readHead(chunk: Buffer, from: number): number {
    const length = Math.min(FRAME_HEAD - this.#headLength, chunk.length - from);
    chunk.copy(this.#head, this.#headLength, from, from + length);
    this.#headLength += length;
    if (this.#headLength < FRAME_HEAD) return from + length;
    this.#headLength = 0;
    this.#frameLeft = this.#head.readUIntBE(0, 3);
    this.#frameType = this.#head[3] ?? 0;
    this.#frameFlags = this.#head[4] ?? 0;
    this.#padding = this.#frameType === DATA && (this.#frameFlags & FLAG_PADDED) !== 0 ? -1 : 0;
    if (this.#frameType === DATA) this.#unacknowledged += this.#frameLeft;
    return from + length;
  }

  #readData(part: Buffer): void {
    let at = 0;
    if (this.#padding === -1 && part.length > 0) {
      this.#padding = part[0] ?? 0;
      at = 1;
    }
    // What is left of the frame after this part may be padding in whole or in part.
    const end = part.length - Math.max(0, this.#padding - this.#frameLeft);
    while (at < end) {
      if (this.#message === undefined) {
        this.#messageHead[this.#messageHeadLength] = part[at] ?? 0;
        this.#messageHeadLength += 1;
        at += 1;
        if (this.#messageHeadLength < GRPC_HEAD) continue;
        this.#messageHeadLength = 0;
        this.#message = Buffer.allocUnsafe(this.#messageHead.readUInt32BE(1));
        this.#messageLength = 0;
      }
      const copied = part.copy(this.#message, this.#messageLength, at, end);
      at += copied;
      this.#messageLength += copied;
      if (this.#messageLength < this.#message.length) continue;
      const message = this.#message;
      this.#message = undefined;
      this.#handlers.onMessage(message);
    }
  }

  #endFrame(): void {
    const type = this.#frameType;
    this.#frameType = -1;
    if (type === DATA) {
      if (this.#unacknowledged < WINDOW_STEP) return;
      const step = this.#unacknowledged;
      this.#unacknowledged = 0;
      this.#socket.write(Buffer.concat([windowUpdate(0, step), windowUpdate(1, step)]));
      return;
    }
    const payload = Buffer.concat(this.#control);
    this.#control = [];
    this.#takeControl(type, payload);
  }

  #takeControl(type: number, payload: Buffer): void {
    const isAck = (this.#frameFlags & FLAG_ACK) !== 0;
    switch (type) {
      case SETTINGS:
        if (!isAck) this.#takeSettings(payload);
        return;
      case PING:
        if (!isAck) this.#socket.write(Buffer.concat([frameHead(PING, FLAG_ACK, 0, 8), payload]));
        return;
      case WINDOW_UPDATE:
        // The head still holds the stream that it is about.
        if (this.#head.readUInt32BE(5) === 0) this.#connectionWindow += payload.readUInt32BE(0);
        else this.#streamWindow += payload.readUInt32BE(0);
        this.#flush();
        return;
      case HEADERS:
        if ((this.#frameFlags & FLAG_END_STREAM) !== 0) this.#end("call ended by the server");
        return;
      case RST_STREAM:
      case GOAWAY:
        this.#end(type === GOAWAY ? "connection ended by the server" : "call reset by the server");
        return;
      default:
    }
  }

  #takeSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== SETTING_INITIAL_WINDOW) continue;
      const window = payload.readUInt32BE(at + 2);
      this.#streamWindow += window - this.#initialWindow;
      this.#initialWindow = window;
    }
    this.#socket.write(frameHead(SETTINGS, FLAG_ACK, 0, 0));
    this.#flush();
  }
}

function opening(path: string): Buffer {
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(SETTING_INITIAL_WINDOW, 0);
  settings.writeUInt32BE(WINDOW_MAX, 2);
  // HPACK (RFC 7541): 0x83 and 0x86 are `:method: POST` and `:scheme: http` of the static table, the
  // others literals that are not indexed, by the table's number of the name where it has one.
  const headers = Buffer.concat([
    Buffer.from([0x83, 0x86]),
    literal(Buffer.from([0x04]), path),
    literal(Buffer.from([0x01]), "127.0.0.1"),
    literal(Buffer.from([0x0f, 0x10]), "application/grpc"),
    literal(Buffer.concat([Buffer.from([0x00]), text("te")]), "trailers"),
  ]);
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frameHead(SETTINGS, 0, 0, settings.length),
    settings,
    windowUpdate(0, WINDOW_MAX - WINDOW_DEFAULT),
    frameHead(HEADERS, FLAG_END_HEADERS, 1, headers.length),
    headers,
  ]);
}

function literal(name: Buffer, value: string): Buffer {
  return Buffer.concat([name, text(value)]);
}

/** A length below 127 and the bytes, without Huffman's code. */
function text(value: string): Buffer {
  if (value.length > 126) throw new Error(`"${value}" is too long for a header of this client`);
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
}

function windowUpdate(stream: number, step: number): Buffer {
  const frame = Buffer.alloc(FRAME_HEAD + 4);
  frameHead(WINDOW_UPDATE, 0, stream, 4).copy(frame);
  frame.writeUInt32BE(step, FRAME_HEAD);
  return frame;
}

function frameHead(type: number, flags: number, stream: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEAD);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return head;
}
