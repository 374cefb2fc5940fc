import type { Clock, Timer } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";

/** Envoy's `--drain-strategy`: whether ever more responses close their connection, or all at once. */
export type DrainStrategy = "gradual" | "immediate";

/** Which listeners: all, or those whose `traffic_direction` is inbound. */
export type DrainScope = "all" | "inbound";

/** How long draining takes, and how it goes. */
export interface DrainOptions {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly durationMs: number;
  readonly strategy: DrainStrategy;
}

/** Ends connections after their responses, spread over the drain time. */
class DrainSequence {
  readonly #options: DrainOptions;
  #startMs: number | undefined = undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  get hasStarted(): boolean {
    return this.#startMs !== undefined;
  }

  start(): void {
    this.#startMs ??= this.#options.clock.monotonicMs();
  }

  /**
   * Whether the response that is being sent is the last: as likely as its share of the drain time
   * has passed (Envoy, `DrainManagerImpl::drainClose`). It is another throw of the dice each time.
   */
  get closes(): boolean {
    if (this.#startMs === undefined) return false;
    const { clock, prng, durationMs, strategy } = this.#options;
    if (strategy === "immediate") return true;
    const passedMs = clock.monotonicMs() - this.#startMs;
    return passedMs >= durationMs || passedMs > prng.next() * durationMs;
  }
}

/** What of a listener says when it drains. */
export interface DrainTraits {
  readonly isInbound: boolean;
  /** Whether a health check that fails drains it (`drain_type: DEFAULT`), or only its own change. */
  readonly heedsHealth: boolean;
}

/** The draining of a whole proxy, as its admin port asks for it. */
export class ServerDrain {
  readonly #options: DrainOptions;
  readonly #all: DrainSequence;
  readonly #inbound: DrainSequence;
  readonly #timers = new Set<Timer>();
  /** `/healthcheck/fail` was asked for, and `/healthcheck/ok` was not since. */
  isHealthCheckFailed = false;

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#all = new DrainSequence(options);
    this.#inbound = new DrainSequence(options);
  }

  /** Begins to drain, unless it has begun; `onDone` is called when the drain time is over. */
  start(scope: DrainScope, onDone: () => void): void {
    const sequence = scope === "all" ? this.#all : this.#inbound;
    if (sequence.hasStarted || this.#all.hasStarted) return;
    sequence.start();
    const timer = this.#options.clock.setTimer(this.#options.durationMs, () => {
      this.#timers.delete(timer);
      onDone();
    });
    this.#timers.add(timer);
  }

  closes({ isInbound, heedsHealth }: DrainTraits): boolean {
    if (this.isHealthCheckFailed && heedsHealth) return true;
    return this.#all.closes || (isInbound && this.#inbound.closes);
  }

  /** The draining of one filter chain of a listener. */
  ofChain(traits: DrainTraits): ChainDrain {
    return new ChainDrain(this, traits, new DrainSequence(this.#options));
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}

/** Whether the connections of one filter chain are to end: on its own account, or the whole proxy's. */
export class ChainDrain {
  readonly #server: ServerDrain;
  readonly #traits: DrainTraits;
  readonly #own: DrainSequence;
  #isAtOnce = false;

  constructor(server: ServerDrain, traits: DrainTraits, own: DrainSequence) {
    this.#server = server;
    this.#traits = traits;
    this.#own = own;
  }

  /** Its listener was replaced or removed; `isAtOnce`: the process ends. */
  start(isAtOnce: boolean): void {
    this.#isAtOnce ||= isAtOnce;
    this.#own.start();
  }

  /** Whether the process ends. */
  get isAtOnce(): boolean {
    return this.#isAtOnce;
  }

  /** Whether the response that is being sent is the last of its connection: asked once for each. */
  get closes(): boolean {
    return this.#isAtOnce || this.#own.closes || this.#server.closes(this.#traits);
  }
}
