import type { SendHandle, Serializable } from "node:child_process";
import type { Server } from "node:net";
import type { Clock, Timer } from "../../base/clock.ts";

/** How long another process may take to answer. */
const ANSWER_MS_MAX = 10_000;

/** One end of a channel between two processes that carries handles: a child process, or this one. */
export interface ChannelEnd {
  send?(
    message: Serializable,
    handle: SendHandle | undefined,
    options: object,
    onSent: (error: Error | null) => void,
  ): boolean;
  on(event: "message", listener: (message: unknown, handle: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
  off(event: "message", listener: (message: unknown, handle: unknown) => void): unknown;
  off(event: "disconnect", listener: () => void): unknown;
  disconnect?(): void;
  readonly connected: boolean;
}

/** What a request comes to; a server goes with it as a listening socket of the other process. */
export interface Answer {
  readonly body: unknown;
  readonly server?: Server | undefined;
}

/** Answers what the other process asks; what it throws is told to the other one. */
export type AnswerPeer<Ask> = (ask: Ask) => Answer | Promise<Answer>;

interface Frame {
  readonly id: number;
  readonly ask?: unknown;
  readonly answer?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: Timer;
}

/** Questions and answers between two processes of one proxy, both ways over one channel. */
export class PeerChannel<OwnAsk, PeerAsk> {
  readonly #end: ChannelEnd;
  readonly #clock: Clock;
  readonly #onAsk: AnswerPeer<PeerAsk>;
  readonly #onEnd: () => void;
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;
  #isOver = false;

  /** `onEnd` is called once, when the other process is gone or `close` was called. */
  constructor(end: ChannelEnd, clock: Clock, onAsk: AnswerPeer<PeerAsk>, onEnd: () => void) {
    this.#end = end;
    this.#clock = clock;
    this.#onAsk = onAsk;
    this.#onEnd = onEnd;
    end.on("message", this.#onMessage);
    end.on("disconnect", this.#over);
  }

  /** Rejects when the other process refuses, is gone, or does not answer in time. */
  ask(ask: OwnAsk, server?: Server): Promise<Answer> {
    if (this.#isOver) return Promise.reject(new Error("the other process is gone"));
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimer(ANSWER_MS_MAX, () => {
        this.#waiting.delete(id);
        reject(new Error(`the other process did not answer within ${ANSWER_MS_MAX / 1000} s`));
      });
      this.#waiting.set(id, { resolve, reject, timer });
      this.#send({ id, ask }, server);
    });
  }

  readonly #onMessage = (message: unknown, handle: unknown): void => {
    const frame = message as Frame;
    if (frame.ask !== undefined) return void this.#answer(frame.id, frame.ask as PeerAsk, handle);
    const waiting = this.#waiting.get(frame.id);
    if (waiting === undefined) return;
    this.#waiting.delete(frame.id);
    waiting.timer.cancel();
    if (frame.error !== undefined) waiting.reject(new Error(frame.error));
    else waiting.resolve({ body: frame.answer, server: handle as Server | undefined });
  };

  async #answer(id: number, ask: PeerAsk, handle: unknown): Promise<void> {
    try {
      // A listening socket that comes with a question belongs to whoever answers it.
      const asked = handle === undefined ? ask : { ...ask, server: handle };
      const { body, server } = await this.#onAsk(asked);
      this.#send({ id, answer: body ?? null }, server);
    } catch (error) {
      this.#send({ id, error: error instanceof Error ? error.message : String(error) }, undefined);
    }
  }

  #send(frame: Frame, server: Server | undefined): void {
    // A failure shows as the end of the channel.
    if (!this.#isOver) this.#end.send?.(frame, server, {}, () => undefined);
  }

  readonly #over = (): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#end.off("message", this.#onMessage);
    this.#end.off("disconnect", this.#over);
    for (const { reject, timer } of this.#waiting.values()) {
      timer.cancel();
      reject(new Error("the other process is gone"));
    }
    this.#waiting.clear();
    this.#onEnd();
  };

  /** Ends the channel, not the other process. */
  close(): void {
    if (this.#isOver) return;
    if (this.#end.connected) this.#end.disconnect?.();
    this.#over();
  }
}
