import type { Clock } from "../base/clock.ts";
import { endLeftovers } from "../runtime/runtime.ts";
import type { Logger } from "../telemetry/log.ts";
import { lockHome, readHomeState, unlockHome } from "./home-lock.ts";
import { removeServerFile } from "./server-file.ts";

const POLL_MS = 50;

/** How a mesh was found and left. */
export type StopResult =
  | { readonly kind: "none" }
  | { readonly kind: "stopped"; readonly pid: number }
  /** It was told to stop and still does not. */
  | { readonly kind: "late"; readonly pid: number }
  /** Its server had died; what it had left running, as `namespace/pod/container`. */
  | { readonly kind: "cleaned"; readonly ended: readonly string[] };

/** Stops the mesh of a home from another process, and cleans up after one that died. */
export async function stopMesh(
  home: string,
  options: { readonly clock: Clock; readonly logger: Logger; readonly timeoutMs: number },
): Promise<StopResult> {
  const { clock, logger, timeoutMs } = options;
  const state = readHomeState(home);
  if (state.kind === "free") return { kind: "none" };
  if (state.kind === "dead") {
    // A server that starts meanwhile must not be taken for what is left.
    if (lockHome(home, "").kind === "held") return stopMesh(home, options);
    const ended = await endLeftovers(home, clock, logger);
    removeServerFile(home);
    unlockHome(home);
    return { kind: "cleaned", ended };
  }
  const { pid } = state.lock;
  process.kill(pid, "SIGTERM");
  const endMs = clock.monotonicMs() + timeoutMs;
  while (readHomeState(home).kind === "held") {
    if (clock.monotonicMs() >= endMs) return { kind: "late", pid };
    await clock.sleep(POLL_MS);
  }
  return { kind: "stopped", pid };
}
