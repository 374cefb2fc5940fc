import { createWriteStream } from "node:fs";
import type { Logger } from "../../telemetry/log.ts";
import { ENDINGS, encodeTrace } from "./encode-trace.ts";
import type { TapConfig, TapSink, TapTarget } from "./tap-config.ts";

/** What a slow disk has not taken yet of one trace; more of it is left out. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** Traces in files, one for each request. */
export function fileTarget(config: TapConfig, prefix: string, log: Logger): TapTarget {
  return {
    config,
    open(traceId): TapSink {
      const path = `${prefix}_${traceId}.${ENDINGS[config.format]}`;
      const file = createWriteStream(path);
      file.on("error", (error) => log.warn("cannot write tap", { path, cause: error.message }));
      return {
        write(trace) {
          if (file.writableLength < WAITING_BYTES_MAX)
            file.write(encodeTrace(trace, config.format));
        },
        end: () => void file.end(),
      };
    },
  };
}
