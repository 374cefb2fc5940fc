/** Messages of gRPC as bytes: a flag and a length, then the message ("Length-Prefixed-Message"). */
import { GRPC_STATUS, type GrpcStatus } from "./grpc-status.ts";
import { joinPieces } from "./joined-bodies.ts";

const HEAD_LENGTH = 5;

/**
 * A message to be sent, in the pieces that it was put together from: the large ones are mostly
 * shared with other clients' messages, and go to the network without being copied; those beside them
 * that are small are joined.
 */
export class GrpcMessage {
  /** Without its head. */
  readonly byteLength: number;
  /** With its head. */
  readonly pieces: readonly Uint8Array[];

  constructor(parts: readonly Uint8Array[]) {
    let byteLength = 0;
    for (const part of parts) byteLength += part.length;
    const head = Buffer.alloc(HEAD_LENGTH);
    head.writeUInt32BE(byteLength, 1);
    this.byteLength = byteLength;
    this.pieces = joinPieces([head, ...parts], (length) => Buffer.allocUnsafe(length)).pieces;
  }

  /** Without its head. */
  toBuffer(): Buffer {
    return Buffer.concat(this.pieces).subarray(HEAD_LENGTH);
  }
}

/** Takes messages out of what comes in. A message that lies within one chunk is not copied. */
export class GrpcMessageReader {
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #length = 0;

  /** `bytesMax`: the largest message that is taken. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Whether there are bytes of which no message was made yet. */
  get isWithin(): boolean {
    return this.#length > 0;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The next message; `undefined` while it is not there in full; why the call has to end. */
  next(): Buffer | GrpcStatus | undefined {
    if (this.#length < HEAD_LENGTH) return undefined;
    const [first] = this.#chunks;
    const head = first !== undefined && first.length >= HEAD_LENGTH ? first : this.#joined();
    const size = head.readUInt32BE(1);
    if (head[0] !== 0) {
      const details = "a compressed message, where no encoding was agreed on";
      return { code: GRPC_STATUS.INTERNAL, details };
    }
    if (size > this.#bytesMax) {
      const details = `a message of ${size} bytes, at most ${this.#bytesMax} are taken`;
      return { code: GRPC_STATUS.RESOURCE_EXHAUSTED, details };
    }
    const end = HEAD_LENGTH + size;
    if (this.#length < end) return undefined;
    const bytes = head.length >= end ? head : this.#joined();
    this.#length -= end;
    if (bytes.length === end) this.#chunks.shift();
    else this.#chunks[0] = bytes.subarray(end);
    return bytes.subarray(HEAD_LENGTH, end);
  }

  #joined(): Buffer {
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
