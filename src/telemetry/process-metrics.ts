import { readdirSync, readFileSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import type { MetricRegistry } from "./metrics.ts";

/** Sets what every Prometheus client tells of its process, and Node's client of its heap. */
export function setProcessMetrics(metrics: MetricRegistry, clock: Clock): void {
  const { user, system } = process.cpuUsage();
  metrics.set("process_cpu_seconds_total", (user + system) / 1e6);
  const startMs = clock.nowMs() - process.uptime() * 1000;
  metrics.set("process_start_time_seconds", Math.round(startMs / 1000));
  const memory = process.memoryUsage();
  metrics.set("process_resident_memory_bytes", memory.rss);
  metrics.set("nodejs_heap_size_total_bytes", memory.heapTotal);
  metrics.set("nodejs_heap_size_used_bytes", memory.heapUsed);
  metrics.set("nodejs_external_memory_bytes", memory.external);
  setSystemMetrics(metrics);
}

/** What only Linux tells, by files; elsewhere it is left out. */
function setSystemMetrics(metrics: MetricRegistry): void {
  if (process.platform !== "linux") return;
  try {
    // The list itself takes one while it is read.
    metrics.set("process_open_fds", readdirSync("/proc/self/fd").length - 1);
    const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    if (limit !== undefined) metrics.set("process_max_fds", Number(limit));
    const pages = /^VmSize:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    if (pages !== undefined) metrics.set("process_virtual_memory_bytes", Number(pages) * 1024);
  } catch {
    // A sandbox without /proc has the rest.
    metrics.replace("process_open_fds", []);
  }
}
