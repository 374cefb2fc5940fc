import { type JsonObject, toJson } from "@bufbuild/protobuf";
import { NodeSchema } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import { VERSION } from "../../base/version.ts";
import { EXTENSION_TYPES } from "../extension-types.ts";
import type { AdminState } from "./page.ts";

/** What runs here, in the shape of Envoy's `ServerInfo`. */
export function serverInfo(
  { state, bootstrap, clock, processes, drainMs, drainStrategy }: AdminState,
  uptimeS: number,
): JsonObject {
  const { firstStartMs, hasHotRestart, parentShutdownMs } = processes;
  const allS =
    firstStartMs === undefined ? uptimeS : Math.floor((clock.nowMs() - firstStartMs) / 1000);
  return {
    version: `weft/${VERSION}`,
    state: state(),
    uptime_current_epoch: `${uptimeS}s`,
    uptime_all_epochs: `${allS}s`,
    hot_restart_version: processes.hotRestartVersion,
    command_line_options: {
      base_id: String(processes.baseId),
      concurrency: processes.concurrency,
      drain_time: `${drainMs / 1000}s`,
      ...(hasHotRestart ? { parent_shutdown_time: `${parentShutdownMs / 1000}s` } : {}),
      mode: "Serve",
      disable_hot_restart: !hasHotRestart,
      restart_epoch: processes.epoch,
      drain_strategy: drainStrategy === "gradual" ? "Gradual" : "Immediate",
    },
    node: toJson(NodeSchema, bootstrap.node, {
      registry: EXTENSION_TYPES,
      useProtoFieldName: true,
    }),
    hot_restart_initializing: false,
  };
}

/** The memory of the process in bytes, in the shape of Envoy's `Memory`. */
export function memoryInfo(): JsonObject {
  const { heapUsed, heapTotal, rss } = process.memoryUsage();
  return {
    allocated: String(heapUsed),
    heap_size: String(heapTotal),
    pageheap_unmapped: "0",
    pageheap_free: String(heapTotal - heapUsed),
    total_thread_cache: "0",
    total_physical_bytes: String(rss),
  };
}
