import type { ProxyContext } from "../context.ts";
import { Deadline } from "../net/deadlines.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { KeepaliveOptions } from "./http2-options.ts";

/** Asks a peer now and then whether it is there, and gives it up when it stays silent. */
export class KeepalivePings {
  readonly #options: KeepaliveOptions;
  readonly #context: Pick<ProxyContext, "clock" | "prng" | "deadlines">;
  readonly #writer: FrameWriter;
  readonly #pace = new Deadline({ onDeadline: () => this.#ping() });
  readonly #answer: Deadline;
  readonly #payload = Buffer.alloc(8);
  #lastBytesMs: number;

  constructor(
    options: KeepaliveOptions,
    context: Pick<ProxyContext, "clock" | "prng" | "deadlines">,
    writer: FrameWriter,
    onSilence: () => void,
  ) {
    this.#options = options;
    this.#context = context;
    this.#writer = writer;
    this.#answer = new Deadline({ onDeadline: onSilence });
    this.#lastBytesMs = context.clock.monotonicMs();
  }

  start(): void {
    const { intervalMs, jitterPercent } = this.#options;
    if (intervalMs === 0) return;
    const jitterMs = (this.#context.prng.next() * intervalMs * jitterPercent) / 100;
    this.#set(this.#pace, intervalMs + jitterMs);
  }

  stop(): void {
    this.#pace.cancel();
    this.#answer.cancel();
  }

  #ping(): void {
    if (this.#answer.isSet) return;
    this.#payload.writeUInt32BE(Math.floor(this.#context.prng.next() * 0x100000000), 4);
    this.#writer.ping(this.#payload, 0, false);
    this.#set(this.#answer, this.#options.timeoutMs);
  }

  /** Something came: the peer is there. */
  onBytes(): void {
    this.#lastBytesMs = this.#context.clock.monotonicMs();
    if (!this.#answer.isSet) return;
    this.#answer.cancel();
    this.#set(this.#answer, this.#options.timeoutMs);
  }

  onAck(): void {
    if (!this.#answer.isSet) return;
    this.#answer.cancel();
    this.start();
  }

  /** A stream begins: after a long silence the peer is asked first. */
  onStream(): void {
    const { idleIntervalMs } = this.#options;
    if (idleIntervalMs === 0) return;
    const silentMs = this.#context.clock.monotonicMs() - this.#lastBytesMs;
    if (silentMs >= idleIntervalMs) this.#ping();
  }

  #set(deadline: Deadline, delayMs: number): void {
    this.#context.deadlines.set(deadline, delayMs, this.#context.clock.monotonicMs());
  }
}
