import { type JsonObject, toJson } from "@bufbuild/protobuf";
import { NodeSchema } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import { VERSION } from "../../base/version.ts";
import { EXTENSION_TYPES } from "../extension-types.ts";
import type { AdminState } from "./page.ts";

/** What runs here, in the shape of Envoy's `ServerInfo`. */
export function serverInfo({ state, bootstrap }: AdminState, uptimeS: number): JsonObject {
  return {
    version: `weft/${VERSION}`,
    state: state(),
    uptime_current_epoch: `${uptimeS}s`,
    uptime_all_epochs: `${uptimeS}s`,
    hot_restart_version: "disabled",
    command_line_options: {
      base_id: "0",
      concurrency: 1,
      mode: "Serve",
      disable_hot_restart: true,
      restart_epoch: 0,
      drain_strategy: "Gradual",
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
