import type { Node } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import type { ProxyContext } from "../context.ts";
import type { AccessLog, AccessLogConfig, LogOpener } from "./access-log.ts";
import { GrpcLogs } from "./grpc-logs.ts";
import type { LogFiles } from "./log-file.ts";
import { OtelLogs } from "./otel-logs.ts";

/** Every access log of one proxy, wherever it goes. */
export class AccessLogs implements LogOpener {
  readonly #files: LogFiles;
  readonly #services: GrpcLogs;

  readonly #collectors: OtelLogs;

  constructor(files: LogFiles, context: ProxyContext, node: Node) {
    this.#files = files;
    this.#services = new GrpcLogs({ ...context, node });
    this.#collectors = new OtelLogs(context);
  }

  #openSink(sink: AccessLogConfig["sink"]): AccessLog {
    if (sink.kind === "file") return this.#files.open(sink);
    return sink.kind === "grpc" ? this.#services.open(sink) : this.#collectors.open(sink);
  }

  open({ sink, filter }: AccessLogConfig): AccessLog {
    const log = this.#openSink(sink);
    if (filter === undefined) return log;
    return {
      log(info) {
        if (filter(info)) log.log(info);
      },
    };
  }

  /** Sends what waits; files are closed by whoever has them. */
  async close(): Promise<void> {
    await Promise.all([this.#services.close(), this.#collectors.close()]);
  }
}
