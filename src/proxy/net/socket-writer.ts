import type { Socket } from "node:net";
import { type StreamHandle, WRITE, type WriteOwner, writeError } from "./direct-write.ts";
import type { FlushQueue } from "./flush-queue.ts";

/**
 * What all senders have in common: a plain socket's bytes go to its handle directly once it is
 * connected, and through the stream otherwise (while it connects; TLS). What the kernel does not
 * take at once waits in libuv, which keeps the order of writes, and of the end after them,
 * whichever way they came.
 */
export abstract class SocketWriter implements WriteOwner {
  protected readonly socket: Socket;
  protected readonly queue: FlushQueue;
  /** Known once `isDirect` has said yes. */
  protected handle: StreamHandle | undefined = undefined;
  /** Writes to the handle that wait for the peer. */
  protected pending = 0;
  #isDecided: boolean;
  /** What was handed to the socket so far. */
  bytesSent = 0;

  constructor(socket: Socket, queue: FlushQueue) {
    this.socket = socket;
    this.queue = queue;
    this.#isDecided = queue.direct === undefined;
  }

  /** Whether more should wait for the socket's drain event. */
  get isFull(): boolean {
    return this.pending > 0 || this.socket.writableNeedDrain;
  }

  /** Writes at once what was collected. */
  abstract flushNow(): void;

  breakOff(): void {
    this.socket.destroy(new Error("a write has failed"));
  }

  /** Once the socket is connected and what was written before has left the stream. */
  protected isDirect(): boolean {
    if (this.#isDecided) return this.handle !== undefined;
    const { socket } = this;
    if (socket.connecting || socket.writableLength > 0 || socket.writableEnded) return false;
    this.#isDecided = true;
    this.handle = this.queue.direct?.handleOf(socket);
    return this.handle !== undefined;
  }

  /** What a write to the handle has come to. */
  protected took(result: number): void {
    if (result === WRITE.pending) this.pending++;
    else if (result < 0) this.socket.destroy(writeError(result));
  }

  onWritten(status: number): void {
    this.pending--;
    if (this.socket.destroyed) return;
    if (status < 0) this.socket.destroy(writeError(status));
    else if (this.pending === 0) this.socket.emit("drain");
  }
}
