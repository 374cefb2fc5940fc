import { writeSync } from "node:fs";
import { getSystemErrorName } from "node:util";

/** Who wrote: told once for each write that had to wait. */
export interface WriteOwner {
  /** `status` is 0, or a negative error number of libuv. */
  onWritten(status: number): void;
}

/** What all of a write has come to, beside the negative error numbers of libuv. */
export const WRITE = { done: 0, pending: 1 } as const;

/** The object below a `net.Socket` that holds its libuv stream; what is used of it here. */
export interface StreamHandle {
  readonly fd: number;
  writeLatin1String(request: WriteRequest | null, text: string): number | WriteRequest;
  writeBuffer(request: WriteRequest | null, bytes: Uint8Array): number | WriteRequest;
}

interface WriteRequest {
  oncomplete: (status: number) => void;
  /** Keeps the bytes alive that libuv still reads from. */
  buffer: Uint8Array | undefined;
  /** Node 26: the write ended before `oncomplete` could be set. */
  writeStatus?: number | null;
}

/** Node's own binding of streams (`stream_base.cc`). */
interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kLastWriteWasAsync: number;
  /** Since Node 26, where a write makes its request itself and only when it has to wait. */
  readonly kLastWriteErr?: number;
}

/**
 * Writes to the handle below a `net.Socket`, past the stream in between, whose bookkeeping for each
 * write costs a proxy 3 to 4 % of its CPU. A write that the kernel takes whole, which is nearly
 * every one, needs no request object; of one that has to wait libuv keeps the rest and the order.
 *
 * It rests on what Node does not document but has had since version 12 and uses itself, so it is
 * looked for at the start and done without where it is missing (`create` gives `undefined`).
 */
export class DirectWriter {
  readonly #binding: StreamBinding;
  readonly #makesRequests: boolean;
  /** Used again for every write that did not have to wait. */
  #spare: WriteRequest;

  private constructor(binding: StreamBinding) {
    this.#binding = binding;
    this.#makesRequests = binding.kLastWriteErr !== undefined;
    this.#spare = new binding.WriteWrap();
  }

  static create(): DirectWriter | undefined {
    const binding = findBinding();
    return binding === undefined ? undefined : new DirectWriter(binding);
  }

  /** The handle of a socket when it can be written to: TCP and pipes, not TLS. */
  handleOf(socket: object): StreamHandle | undefined {
    const handle = (socket as { _handle?: StreamHandle | null })._handle;
    if (handle === undefined || handle === null) return undefined;
    const kind = handle.constructor.name;
    if (kind !== "TCP" && kind !== "Pipe") return undefined;
    const writes =
      typeof handle.writeLatin1String === "function" && typeof handle.writeBuffer === "function";
    return writes ? handle : undefined;
  }

  /** One byte for each character. One of `WRITE`, or a negative error number. */
  text(handle: StreamHandle, text: string, owner: WriteOwner): number {
    const result = handle.writeLatin1String(this.#makesRequests ? null : this.#spare, text);
    return this.#take(result, owner, undefined);
  }

  /** The bytes must not be changed after. One of `WRITE`, or a negative error number. */
  bytes(handle: StreamHandle, bytes: Uint8Array, owner: WriteOwner): number {
    const result = handle.writeBuffer(this.#makesRequests ? null : this.#spare, bytes);
    return this.#take(result, owner, bytes);
  }

  #take(result: number | WriteRequest, owner: WriteOwner, bytes: Uint8Array | undefined): number {
    const { streamBaseState, kLastWriteWasAsync, kLastWriteErr } = this.#binding;
    let request: WriteRequest;
    if (typeof result !== "number") {
      const error = streamBaseState[kLastWriteErr ?? 0] ?? 0;
      if (error !== 0) return error;
      request = result;
    } else {
      if (this.#makesRequests || result !== 0 || streamBaseState[kLastWriteWasAsync] === 0) {
        return result;
      }
      request = this.#spare;
      this.#spare = new this.#binding.WriteWrap();
    }
    request.buffer = bytes;
    request.oncomplete = (status) => owner.onWritten(status);
    if (typeof request.writeStatus === "number") {
      const status = request.writeStatus;
      request.writeStatus = null;
      return status < 0 ? status : WRITE.done;
    }
    return WRITE.pending;
  }
}

/**
 * Writes as much of `buffer[from, to)` as the kernel takes at once, without a copy: how many bytes
 * that were. Only for a handle with nothing pending. Throws a system error other than EAGAIN.
 */
export function writeSome(
  handle: StreamHandle,
  buffer: Uint8Array,
  from: number,
  to: number,
): number {
  if (handle.fd < 0) return 0;
  try {
    return writeSync(handle.fd, buffer, from, to - from);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
    throw error;
  }
}

/** The error that Node's own streams give for a failed write. */
export function writeError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: "write" });
}

function findBinding(): StreamBinding | undefined {
  try {
    const node = process as unknown as { binding(name: string): Partial<StreamBinding> };
    const found = node.binding("stream_wrap");
    const isKnown =
      typeof found.WriteWrap === "function" &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kLastWriteWasAsync === "number";
    return isKnown ? (found as StreamBinding) : undefined;
  } catch {
    // Taken away by a policy or a later Node.
    return undefined;
  }
}
