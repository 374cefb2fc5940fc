import type { Clock, Timer } from "../../base/clock.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { Tracer } from "./span.ts";

/** What became of one report. */
export type ReportOutcome = "taken" | "refused" | "failed" | "no_cluster";

/** Sends reports; what it cannot send in time is lost, and said so. */
export interface ReportSender {
  send(body: Uint8Array, onOutcome: (outcome: ReportOutcome) => void): void;
  /** Nothing more is sent, and what is under way is dropped. */
  close(): void;
}

/** Counts what becomes of spans, by the names that the tracer's kind has for that in Envoy. */
export interface ReportCounter {
  countFlush(): void;
  countSent(spans: number): void;
  countDropped(): void;
  countOutcome(outcome: ReportOutcome): void;
}

/** How spans are kept until they are sent. */
export interface ReporterOptions<Record> {
  /** The runtime keys begin with it: `tracing.zipkin`. */
  readonly runtimePrefix: string;
  /** The most spans that wait; the next is dropped, and they go. `undefined`: as many as are sent at once. */
  readonly spansMax: number | undefined;
  readonly encode: (records: readonly Record[]) => Uint8Array;
  readonly sender: ReportSender;
  readonly counter: ReportCounter;
  /** Makes the spans that are reported here. */
  readonly createTracer: (reporter: SpanReporter<Record>) => Tracer;
}

/** Envoy's defaults. */
const FLUSH_SPANS = 5;
const FLUSH_MS = 5000;

/**
 * Keeps spans until there are enough of them (`min_flush_spans`) or they have waited long enough
 * (`flush_interval_ms`), and then sends them as one report. No timer runs while nothing waits.
 */
export class SpanReporter<Record> {
  readonly #clock: Clock;
  readonly #runtime: RuntimeReader;
  readonly #options: ReporterOptions<Record>;
  /** Here, so that it is there for as long as its spans wait. */
  readonly tracer: Tracer;
  #waiting: Record[] = [];
  #timer: Timer | undefined = undefined;
  #isClosed = false;

  constructor(clock: Clock, runtime: RuntimeReader, options: ReporterOptions<Record>) {
    this.#clock = clock;
    this.#runtime = runtime;
    this.#options = options;
    this.tracer = options.createTracer(this);
  }

  report(record: Record): void {
    if (this.#isClosed) return;
    const { runtimePrefix, spansMax, counter } = this.#options;
    const enough = this.#runtime.integer(`${runtimePrefix}.min_flush_spans`) ?? FLUSH_SPANS;
    if (this.#waiting.length >= (spansMax ?? Math.max(1, enough))) {
      counter.countDropped();
      return this.#flush();
    }
    this.#waiting.push(record);
    if (this.#waiting.length >= enough) this.#flush();
    else this.#timer ??= this.#startTimer();
  }

  #startTimer(): Timer {
    const key = `${this.#options.runtimePrefix}.flush_interval_ms`;
    return this.#clock.setTimer(this.#runtime.integer(key) ?? FLUSH_MS, () => {
      this.#options.counter.countFlush();
      this.#flush();
    });
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const records = this.#waiting;
    if (records.length === 0) return;
    this.#waiting = [];
    const { encode, sender, counter } = this.#options;
    counter.countSent(records.length);
    sender.send(encode(records), (outcome) => counter.countOutcome(outcome));
  }

  /** Drops what waits, as Envoy does when it ends; nothing is taken afterwards. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#waiting = [];
    this.#options.sender.close();
  }
}
