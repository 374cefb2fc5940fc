import type { Http2Counters } from "../stats/http2-stats.ts";
import type { Http2Options } from "./http2-options.ts";

/**
 * Counts frames that cost a peer little and us much, for one connection, and says when there are
 * too many: with Envoy's rules, counters and words.
 */
export class FloodGuard {
  readonly #options: Http2Options;
  readonly #counters: Http2Counters;
  /** In a row. */
  #emptyFrames = 0;
  #priorityFrames = 0;
  #windowUpdates = 0;
  /** Since the connection began. */
  streams = 0;
  dataFramesSent = 0;

  constructor(options: Http2Options, counters: Http2Counters) {
    this.#options = options;
    this.#counters = counters;
  }

  /** DATA, HEADERS or CONTINUATION; what is answered is the reason to end the connection. */
  onFrame(isEmpty: boolean): string | undefined {
    if (!isEmpty) {
      this.#emptyFrames = 0;
      return undefined;
    }
    if (++this.#emptyFrames <= this.#options.emptyFramesMax) return undefined;
    this.#counters.inbound_empty_frames_flood++;
    return "http2.inbound_empty_frames_flood";
  }

  onPriority(): string | undefined {
    const max = this.#options.priorityFramesMax * (1 + this.streams);
    if (++this.#priorityFrames <= max) return undefined;
    this.#counters.inbound_priority_frames_flood++;
    return "http2.inbound_priority_frames_flood";
  }

  onWindowUpdate(): string | undefined {
    const perDataFrame = this.#options.windowUpdatesMax * this.dataFramesSent;
    if (++this.#windowUpdates <= 5 + 2 * (this.streams + perDataFrame)) return undefined;
    this.#counters.inbound_window_update_frames_flood++;
    return "http2.inbound_window_update_frames_flood";
  }
}
