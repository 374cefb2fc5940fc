import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { until } from "../../controlplane/until.ts";
import { FLAG, FRAME, frame, PREFACE, settings } from "./raw-frames.ts";

/** One frame as it came. */
export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** What a client of its own does by itself. */
interface RawOptions {
  /** Its first SETTINGS. */
  readonly settings?: readonly (readonly [number, number])[];
  /** Whether it answers PINGs; it does unless this is false. */
  readonly answersPings?: boolean;
}

/** A connection of HTTP/2 whose frames are sent by hand, and seen one by one. */
export class RawClient {
  readonly frames: SeenFrame[] = [];
  readonly #socket: Socket;
  readonly #answersPings: boolean;
  #rest: Buffer = Buffer.alloc(0);
  isEnded = false;

  private constructor(socket: Socket, options: RawOptions) {
    this.#socket = socket;
    this.#answersPings = options.answersPings !== false;
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("close", () => {
      this.isEnded = true;
    });
    socket.write(Buffer.concat([PREFACE, settings(options.settings ?? [])]));
  }

  static async open(port: number, options: RawOptions = {}): Promise<RawClient> {
    const socket = connect(port, "127.0.0.1");
    const client = new RawClient(socket, options);
    if (socket.connecting) await once(socket, "connect");
    return client;
  }

  #read(bytes: Buffer): void {
    let rest = Buffer.concat([this.#rest, bytes]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const end = 9 + rest.readUIntBE(0, 3);
      const stream = rest.readUInt32BE(5) & 0x7fff_ffff;
      const [type = 0, flags = 0] = [rest[3], rest[4]];
      const payload = Buffer.from(rest.subarray(9, end));
      this.frames.push({ type, flags, stream, payload });
      rest = rest.subarray(end);
      const isAck = (flags & FLAG.ack) !== 0;
      if (type === FRAME.ping && !isAck && this.#answersPings) {
        this.send(frame(FRAME.ping, FLAG.ack, 0, payload));
      } else if (type === FRAME.settings && !isAck) {
        this.send(frame(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0)));
      }
    }
    this.#rest = rest;
  }

  send(...frames: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(frames));
  }

  /** Stops reading, and goes on. */
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }

  /** The frames of a type that came on a stream. */
  of(type: number, stream?: number): readonly SeenFrame[] {
    return this.frames.filter(
      (one) => one.type === type && (stream === undefined || one.stream === stream),
    );
  }

  /** Bytes of DATA that came on a stream. */
  dataOn(stream: number): number {
    return this.of(FRAME.data, stream).reduce((sum, { payload }) => sum + payload.length, 0);
  }

  /** Waits until the other side has read all that was sent before: it answers a PING behind it. */
  async settle(): Promise<void> {
    const acks = (): number =>
      this.of(FRAME.ping).filter(({ flags }) => (flags & FLAG.ack) !== 0).length;
    const before = acks();
    this.send(frame(FRAME.ping, 0, 0, Buffer.alloc(8)));
    await until(() => this.isEnded || acks() > before, "the answer to a PING");
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    this.#socket.destroy();
    await once(this.#socket, "close");
  }
}
