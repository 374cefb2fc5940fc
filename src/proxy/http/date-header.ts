import type { Clock } from "../../base/clock.ts";

/** The Date header's value, made once a second. */
export class DateHeader {
  readonly #clock: Clock;
  #text = "";
  #untilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** RFC 9110 5.6.7's preferred form of now. */
  text(): string {
    const nowMs = this.#clock.nowMs();
    // A clock that was set back must not freeze the date.
    if (nowMs >= this.#untilMs || nowMs < this.#untilMs - 1000) {
      this.#text = new Date(nowMs).toUTCString();
      this.#untilMs = nowMs - (nowMs % 1000) + 1000;
    }
    return this.#text;
  }
}
