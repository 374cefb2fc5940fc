import { Session } from "node:inspector";
import type { Clock, Timer } from "../../base/clock.ts";

/** What can be recorded: time spent, what the heap holds, or all that was ever allocated on it. */
export const PROFILE_KINDS = ["cpu", "heap", "allocation"] as const;
export type ProfileKind = (typeof PROFILE_KINDS)[number];

/** Nobody's recording goes on for ever: samples take memory. */
export const PROFILE_S_MAX = 600;

/** Between two samples of the stack. */
const CPU_INTERVAL_US = 1000;
/** Of so many bytes that are allocated one is looked at, on average. */
const HEAP_INTERVAL_BYTES = 32_768;

type Method =
  | "HeapProfiler.startSampling"
  | "HeapProfiler.stopSampling"
  | "Profiler.enable"
  | "Profiler.setSamplingInterval"
  | "Profiler.start"
  | "Profiler.stop";

/** A recording that goes on. */
interface Recording {
  readonly kind: ProfileKind;
  readonly session: Session;
  /** Ends the recording when it has gone on for too long. */
  readonly limit: Timer;
}

/**
 * Records where this process spends its time and memory, by V8's own profilers: one recording at a
 * time, for ten minutes at most. Without one there is no cost. A profile is JSON: `.cpuprofile` for
 * time, `.heapprofile` for memory, which Chrome's DevTools and speedscope open.
 */
export class Profiler {
  readonly #clock: Clock;
  #recording: Recording | undefined = undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What is being recorded; `undefined` for nothing. */
  get kind(): ProfileKind | undefined {
    return this.#recording?.kind;
  }

  /** Begins; `onLimit` is called when the recording has to end. Says whether it could begin. */
  async start(kind: ProfileKind, onLimit: () => void): Promise<boolean> {
    if (this.#recording !== undefined) return false;
    const session = new Session();
    session.connect();
    const limit = this.#clock.setTimer(PROFILE_S_MAX * 1000, onLimit);
    this.#recording = { kind, session, limit };
    if (kind === "cpu") {
      await post(session, "Profiler.enable");
      await post(session, "Profiler.setSamplingInterval", { interval: CPU_INTERVAL_US });
      await post(session, "Profiler.start");
      return true;
    }
    const keepsCollected = kind === "allocation";
    await post(session, "HeapProfiler.startSampling", {
      samplingInterval: HEAP_INTERVAL_BYTES,
      includeObjectsCollectedByMajorGC: keepsCollected,
      includeObjectsCollectedByMinorGC: keepsCollected,
    });
    return true;
  }

  /** Ends the recording: its profile as JSON, or `undefined` where there was none. */
  async stop(): Promise<string | undefined> {
    const recording = this.#recording;
    if (recording === undefined) return undefined;
    this.#recording = undefined;
    const { kind, session, limit } = recording;
    limit.cancel();
    const method = kind === "cpu" ? "Profiler.stop" : "HeapProfiler.stopSampling";
    const { profile } = await post(session, method);
    session.disconnect();
    return JSON.stringify(profile);
  }
}

function post(
  session: Session,
  method: Method,
  params: object = {},
): Promise<{ readonly profile?: unknown }> {
  return new Promise((resolve, reject) => {
    session.post(method, params, (error: Error | null, result?: object) => {
      if (error === null) resolve(result ?? {});
      else reject(error);
    });
  });
}
