/** The proxy of a soak, as a process of its own: told by its parent over the channel of `fork`. */
import { readdirSync } from "node:fs";
import type { Clock } from "../../src/base/clock.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import type { Proxy } from "../../src/proxy/proxy.ts";
import { startWeft } from "../proxy/data-plane.ts";

/** What the parent says. */
export type ProxySoakCommand =
  | { readonly do: "start"; readonly bootstrap: object; readonly drainMs: number }
  | { readonly do: "measure" }
  | { readonly do: "stop" };

/** What it is told. */
export type ProxySoakReport =
  | { readonly is: "started" }
  | { readonly is: "measured"; readonly held: ProxyHeld };

/** What a proxy holds at one moment, right after garbage was collected. */
export interface ProxyHeld {
  readonly heapMb: number;
  /** Outside of the heap: buffers, compressors, TLS contexts. */
  readonly externalMb: number;
  readonly residentMb: number;
  readonly descriptors: number;
  /** Timers of the proxy that have been set. */
  readonly timers: number;
  /** Sockets, watched files and whatever else keeps an event loop busy. */
  readonly resources: number;
  /** Connections from clients and to upstreams. */
  readonly connections: number;
  /** Requests of clients that are under way. */
  readonly active: number;
  /** Statistics by name. */
  readonly stats: number;
  /** Exceptions, which there should be none of. */
  readonly faults: number;
}

const MIB = 1024 * 1024;

/** The machine's time, with the number of timers that are set. */
class CountingClock implements Clock {
  timers = 0;
  readonly nowMs = (): number => nodeClock.nowMs();
  readonly monotonicMs = (): number => nodeClock.monotonicMs();

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return nodeClock.sleep(delayMs, signal);
  }

  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    this.timers++;
    let isSet = true;
    const end = (): void => {
      if (isSet) this.timers--;
      isSet = false;
    };
    const timer = nodeClock.setTimer(delayMs, () => {
      end();
      callback();
    });
    return {
      cancel() {
        end();
        timer.cancel();
      },
    };
  }
}

const clock = new CountingClock();
let running: { readonly proxy: Proxy; stop(): Promise<void> } | undefined;

function tell(report: ProxySoakReport): void {
  process.send?.(report);
}

async function start(bootstrap: object, drainMs: number): Promise<void> {
  running = await startWeft(bootstrap, { drainMs, clock });
  tell({ is: "started" });
}

async function measure(): Promise<void> {
  // What weak maps and finalizers hold goes only after what they hang on has gone.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await new Promise(setImmediate);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const stats = running?.proxy.stats() ?? [];
  const sumOf = (name: RegExp): number =>
    stats.reduce((sum, one) => (name.test(one.name) ? sum + one.value : sum), 0);
  tell({
    is: "measured",
    held: {
      heapMb: heapUsed / MIB,
      externalMb: external / MIB,
      residentMb: rss / MIB,
      descriptors: readdirSync("/proc/self/fd").length,
      timers: clock.timers,
      resources: process.getActiveResourcesInfo().length,
      connections: sumOf(/^(http|tcp)\.[^.]+\.downstream_cx_active$|\.upstream_cx_active$/),
      active: sumOf(/^http\.[^.]+\.downstream_rq_active$/),
      stats: stats.length,
      faults: sumOf(/^server\.envoy_bug_failures$/),
    },
  });
}

async function stop(): Promise<void> {
  await running?.stop();
  process.disconnect();
}

process.on("message", (command: ProxySoakCommand) => {
  if (command.do === "start") void start(command.bootstrap, command.drainMs);
  else if (command.do === "measure") void measure();
  else void stop();
});
process.on("SIGUSR1", () => running?.proxy.reopenLogs());
// A parent that is gone leaves nothing behind.
process.on("disconnect", () => process.exit());
