import type { Clock, Timer } from "../../base/clock.ts";
import { type OnFault, RETHROW } from "../fault-log.ts";

/** Something that ends when it takes too long; it stands in at most one lane at a time. */
export interface DeadlineEntry {
  onDeadline(): void;
}

/** The place of one entry, kept by its owner and reused: setting a deadline allocates nothing. */
export class Deadline {
  readonly owner: DeadlineEntry;
  /** @internal */
  lane: Lane | undefined = undefined;
  /** @internal */
  before: Deadline | undefined = undefined;
  /** @internal */
  after: Deadline | undefined = undefined;
  /** Since when it runs, on the monotonic clock; means something only while it is set. */
  sinceMs = 0;

  constructor(owner: DeadlineEntry) {
    this.owner = owner;
  }

  get isSet(): boolean {
    return this.lane !== undefined;
  }

  /** Does nothing when it is not set. */
  cancel(): void {
    this.lane?.remove(this);
  }
}

/** All deadlines of one length: they fall due in the order in which they were set. */
class Lane {
  readonly #clock: Clock;
  readonly #onFault: OnFault;
  #delayMs: number;
  #first: Deadline | undefined = undefined;
  #last: Deadline | undefined = undefined;
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock, delayMs: number, onFault: OnFault) {
    this.#clock = clock;
    this.#onFault = onFault;
    this.#delayMs = delayMs;
  }

  /** Gives all of them another length, those that run already too. */
  resize(delayMs: number): void {
    if (delayMs === this.#delayMs) return;
    this.#delayMs = delayMs;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#first !== undefined) this.#armFor(this.#first, this.#clock.monotonicMs());
  }

  add(deadline: Deadline, nowMs: number): void {
    deadline.lane = this;
    deadline.sinceMs = nowMs;
    deadline.before = this.#last;
    if (this.#last === undefined) this.#first = deadline;
    else this.#last.after = deadline;
    this.#last = deadline;
    // One timer stands for the whole lane and is set again only when it fires.
    if (this.#timer === undefined) this.#arm(this.#delayMs);
  }

  remove(deadline: Deadline): void {
    if (deadline.before === undefined) this.#first = deadline.after;
    else deadline.before.after = deadline.after;
    if (deadline.after === undefined) this.#last = deadline.before;
    else deadline.after.before = deadline.before;
    deadline.before = undefined;
    deadline.after = undefined;
    deadline.lane = undefined;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(delayMs, () => this.#fire());
  }

  #armFor({ sinceMs }: Deadline, nowMs: number): void {
    this.#arm(Math.max(1, sinceMs + this.#delayMs - nowMs));
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    // Half a millisecond early is on time: timers are no more exact.
    const lastMs = nowMs + 0.5 - this.#delayMs;
    for (let next = this.#first; next !== undefined && next.sinceMs <= lastMs; ) {
      this.remove(next);
      try {
        next.owner.onDeadline();
      } catch (error) {
        this.#onFault(error);
      }
      next = this.#first;
    }
    if (this.#first !== undefined && this.#timer === undefined) this.#armFor(this.#first, nowMs);
  }
}

/** Sets deadlines; how long those of one length last may change while they run. */
export interface DeadlineSetter {
  /** Sets it anew; `delayMs` must come from configuration, as each length keeps a lane for good. */
  set(deadline: Deadline, delayMs: number, nowMs: number): void;
}

/** Deadlines in lanes by length, so that setting and cancelling one costs next to nothing. */
export class Deadlines implements DeadlineSetter {
  readonly #clock: Clock;
  readonly #onFault: OnFault;
  readonly #lanes = new Map<number, Lane>();

  constructor(clock: Clock, onFault: OnFault = RETHROW) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  set(deadline: Deadline, delayMs: number, nowMs: number): void {
    deadline.lane?.remove(deadline);
    let lane = this.#lanes.get(delayMs);
    if (lane === undefined) {
      lane = new Lane(this.#clock, delayMs, this.#onFault);
      this.#lanes.set(delayMs, lane);
    }
    lane.add(deadline, nowMs);
  }
}

/** Deadlines whose lengths all change together. */
export class ResizableDeadlines implements DeadlineSetter {
  readonly #clock: Clock;
  readonly #onFault: OnFault;
  readonly #lanes = new Map<number, Lane>();
  #resize: (delayMs: number) => number = (delayMs) => delayMs;

  constructor(clock: Clock, onFault: OnFault = RETHROW) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  set(deadline: Deadline, delayMs: number, nowMs: number): void {
    deadline.lane?.remove(deadline);
    this.#lane(delayMs).add(deadline, nowMs);
  }

  /** From now on `resize` says how long deadlines last, those that run too. */
  resize(resize: (delayMs: number) => number): void {
    this.#resize = resize;
    for (const [delayMs, lane] of this.#lanes) lane.resize(resize(delayMs));
  }

  #lane(delayMs: number): Lane {
    let lane = this.#lanes.get(delayMs);
    if (lane === undefined) {
      lane = new Lane(this.#clock, this.#resize(delayMs), this.#onFault);
      this.#lanes.set(delayMs, lane);
    }
    return lane;
  }
}
