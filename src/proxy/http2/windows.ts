import type { FloodGuard } from "./flood-guard.ts";
import { FRAME_BYTES_MAX, WINDOW_BYTES, WINDOW_BYTES_MAX } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { Http2Options } from "./http2-options.ts";
import type { Http2Stream } from "./http2-stream.ts";

/**
 * What the peer may send. A stream's window is renewed as its handler takes what comes. That of the
 * connection is renewed even while handlers wait, or one that waits would stop the others; but only
 * until as much waits as it allows, or nothing would bound what does.
 */
export class ReceiveWindow {
  readonly #writer: FrameWriter;
  readonly #streamWanted: number;
  readonly #bytesMax: number;
  /** A stream's window to begin with: the peer does not know ours before it acknowledges it. */
  streamBytes: number;
  #left = WINDOW_BYTES;
  #used = 0;
  #held = 0;
  /** Of what is held, what the connection's window was not renewed for. */
  #owed = 0;

  constructor(writer: FrameWriter, { streamWindow, connectionWindow }: Http2Options) {
    this.#writer = writer;
    this.#streamWanted = streamWindow;
    this.streamBytes = Math.max(streamWindow, WINDOW_BYTES);
    this.#bytesMax = Math.max(connectionWindow, WINDOW_BYTES);
  }

  /** The connection's window is not among the settings. */
  start(): void {
    const more = this.#bytesMax - this.#left;
    if (more === 0) return;
    this.#left += more;
    this.#writer.windowUpdate(0, more);
  }

  onSettingsAck(streams: Iterable<Http2Stream>): void {
    const less = this.streamBytes - this.#streamWanted;
    this.streamBytes = this.#streamWanted;
    if (less > 0) for (const stream of streams) stream.receiveLeft -= less;
  }

  /** So many bytes came; false when they are too many. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** They are used up, as far as the connection goes. */
  used(bytes: number): void {
    this.#used += bytes;
    if (this.#used * 2 < this.#bytesMax) return;
    this.#writer.windowUpdate(0, this.#used);
    this.#left += this.#used;
    this.#used = 0;
  }

  /** They are used up by a stream, which wants more. */
  usedBy(stream: Http2Stream, bytes: number): void {
    stream.receiveUsed += bytes;
    if (stream.receiveUsed * 2 < this.#streamWanted) return;
    this.#writer.windowUpdate(stream.id, stream.receiveUsed);
    stream.sentNumber();
    stream.receiveLeft += stream.receiveUsed;
    stream.receiveUsed = 0;
  }

  held(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.#bytesMax) this.#owed += bytes;
    else this.used(bytes);
  }

  /** What was held goes to its handler, or nowhere: it is renewed for where it was not. */
  released(bytes: number): void {
    this.#held -= bytes;
    const owed = Math.min(bytes, this.#owed);
    this.#owed -= owed;
    if (owed > 0) this.used(owed);
  }
}

/** What the peer takes, and who waits for it to take more. */
export class SendWindow {
  readonly #writer: FrameWriter;
  readonly #guard: FloodGuard;
  #left = WINDOW_BYTES;
  /** Streams with something to send, in turns. */
  #waiting: Http2Stream[] = [];
  #isPumping = false;

  constructor(writer: FrameWriter, guard: FloodGuard) {
    this.#writer = writer;
    this.#guard = guard;
  }

  /** False when it becomes larger than a window may be. */
  grow(bytes: number): boolean {
    this.#left += bytes;
    return this.#left <= WINDOW_BYTES_MAX;
  }

  growStream(stream: Http2Stream, bytes: number): boolean {
    stream.sendWindow += bytes;
    return stream.sendWindow <= WINDOW_BYTES_MAX;
  }

  /** The peer changed what streams begin with: for those that are open as well. */
  shift(streams: Iterable<Http2Stream>, bytes: number): boolean {
    if (bytes === 0) return true;
    for (const stream of streams) if (!this.growStream(stream, bytes)) return false;
    return true;
  }

  /** Sends of `buffer[from, to)` what the windows allow; gives where it stopped. */
  send(stream: Http2Stream, buffer: Buffer, from: number, to: number): number {
    const allowed = Math.min(this.#left, stream.sendWindow, to - from);
    if (allowed <= 0) return from;
    const end = from + allowed;
    for (let at = from; at < end; at += FRAME_BYTES_MAX) {
      this.#writer.data(stream.id, buffer, at, Math.min(end, at + FRAME_BYTES_MAX));
      this.#guard.dataFramesSent++;
    }
    this.#left -= allowed;
    stream.sendWindow -= allowed;
    return end;
  }

  wait(stream: Http2Stream): void {
    this.#waiting.push(stream);
  }

  /** Lets those that wait send a frame each, in turns, until nobody can. */
  pump(): void {
    if (this.#waiting.length === 0 || this.#isPumping) return;
    this.#isPumping = true;
    for (let isMoving = true; isMoving; ) {
      isMoving = false;
      for (const stream of this.#waiting) {
        if (this.#left <= 0) break;
        if (stream.sendWindow > 0 && stream.pump(FRAME_BYTES_MAX) > 0) isMoving = true;
      }
    }
    const before = this.#waiting;
    this.#waiting = before.filter(({ queuedBytes }) => queuedBytes > 0);
    this.#isPumping = false;
    for (const stream of before) stream.afterPump();
  }
}
