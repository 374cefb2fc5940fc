import type { AccessLog, AccessLogConfig, LogOpener } from "./access-log.ts";
import { type GrpcLogDeps, GrpcLogs } from "./grpc-logs.ts";
import type { LogFiles } from "./log-file.ts";

/** Every access log of one proxy, wherever it goes. */
export class AccessLogs implements LogOpener {
  readonly #files: LogFiles;
  readonly #services: GrpcLogs;

  constructor(files: LogFiles, deps: GrpcLogDeps) {
    this.#files = files;
    this.#services = new GrpcLogs(deps);
  }

  open({ sink, filter }: AccessLogConfig): AccessLog {
    const log = sink.kind === "file" ? this.#files.open(sink) : this.#services.open(sink);
    if (filter === undefined) return log;
    return {
      log(info) {
        if (filter(info)) log.log(info);
      },
    };
  }

  /** Sends what waits; files are closed by whoever has them. */
  close(): Promise<void> {
    return this.#services.close();
  }
}
