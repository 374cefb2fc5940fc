import type { Clock } from "../base/clock.ts";

/** Pages that are made at a time; each may be as large as the mesh. */
export const RENDERS_MAX = 4;

/** Pages that wait for their turn; more are refused. */
const WAITING_MAX = 32;

/** How long a page is made at a stretch before proxies get their turn. */
const SLICE_MS = 5;

/** Characters that go out at a time. */
const WRITE_LENGTH = 64 * 1024;

/** Takes what is made of a page; resolves when there is room for more. Rejects when nobody reads. */
export type PageSink = (text: string) => Promise<void>;

/** Why a page was not made: too many others are. */
export class BusyError extends Error {
  constructor() {
    super(`${RENDERS_MAX} pages are being made and ${WAITING_MAX} wait, try again in a moment`);
    this.name = "BusyError";
  }
}

/**
 * Makes large pages a slice at a time, and only a few at once, so that whoever looks at a large
 * mesh does not hold up its proxies.
 */
export class PageRenderer {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Pages that are being made or wait. */
  get pending(): number {
    return this.#running + this.#waiting.length;
  }

  /** Writes all pieces. Rejects with a `BusyError` before the first, or with what the sink rejects with. */
  async render(pieces: Iterable<string>, write: PageSink): Promise<void> {
    await this.#enter();
    try {
      await this.#renderNow(pieces, write);
    } finally {
      this.#leave();
    }
  }

  async #renderNow(pieces: Iterable<string>, write: PageSink): Promise<void> {
    let text = "";
    let startMs = this.#clock.monotonicMs();
    for (const piece of pieces) {
      text += piece;
      if (text.length >= WRITE_LENGTH) {
        await write(text);
        text = "";
      }
      if (this.#clock.monotonicMs() - startMs < SLICE_MS) continue;
      await new Promise(setImmediate);
      startMs = this.#clock.monotonicMs();
    }
    if (text !== "") await write(text);
  }

  async #enter(): Promise<void> {
    if (this.#running < RENDERS_MAX) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= WAITING_MAX) throw new BusyError();
    // Whoever leaves hands its place on.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
