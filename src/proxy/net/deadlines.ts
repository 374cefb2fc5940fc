import type { Clock } from "../../base/clock.ts";

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
  /** On the monotonic clock; means something only while it is set. */
  atMs = 0;

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
  readonly #delayMs: number;
  #first: Deadline | undefined = undefined;
  #last: Deadline | undefined = undefined;
  #isArmed = false;

  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  add(deadline: Deadline, nowMs: number): void {
    deadline.lane = this;
    deadline.atMs = nowMs + this.#delayMs;
    deadline.before = this.#last;
    if (this.#last === undefined) this.#first = deadline;
    else this.#last.after = deadline;
    this.#last = deadline;
    // One timer stands for the whole lane and is set again only when it fires.
    if (!this.#isArmed) this.#arm(this.#delayMs);
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
    this.#isArmed = true;
    this.#clock.setTimer(delayMs, () => this.#fire());
  }

  #fire(): void {
    this.#isArmed = false;
    const nowMs = this.#clock.monotonicMs();
    // Half a millisecond early is on time: timers are no more exact.
    for (let next = this.#first; next !== undefined && next.atMs <= nowMs + 0.5; ) {
      this.remove(next);
      next.owner.onDeadline();
      next = this.#first;
    }
    if (this.#first !== undefined && !this.#isArmed)
      this.#arm(Math.max(1, this.#first.atMs - nowMs));
  }
}

/** Deadlines in lanes by length, so that setting and cancelling one costs next to nothing. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #lanes = new Map<number, Lane>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sets it anew; `delayMs` must come from configuration, as each length keeps a lane for good. */
  set(deadline: Deadline, delayMs: number, nowMs: number): void {
    deadline.lane?.remove(deadline);
    let lane = this.#lanes.get(delayMs);
    if (lane === undefined) {
      lane = new Lane(this.#clock, delayMs);
      this.#lanes.set(delayMs, lane);
    }
    lane.add(deadline, nowMs);
  }
}
