import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, readProcess } from "../runtime/proc.ts";

/** Which process has a home. */
export interface HomeLock {
  readonly pid: number;
  /** Clock ticks from boot to its start: a later process with its number is not taken for it. */
  readonly startTicks: string;
  /** What its `up` was asked for, so that another can tell whether it asks for something else. */
  readonly asked: string;
}

/** Who has a home: nobody, a server that died without giving it back, or one that runs. */
export type HomeState =
  | { readonly kind: "free" }
  | { readonly kind: "dead" }
  | { readonly kind: "held"; readonly lock: HomeLock };

/** Reads who has a home. */
export function readHomeState(home: string): HomeState {
  return readState(lockFile(home));
}

function readState(file: string): HomeState {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return { kind: "free" };
  }
  const lock = parseLock(text);
  if (lock === undefined) return { kind: "dead" };
  const stat = readProcess(lock.pid);
  const isHeld = isAlive(stat) && stat.startTicks === lock.startTicks;
  return isHeld ? { kind: "held", lock } : { kind: "dead" };
}

/** Takes a home for this process; `held` says who has it. What a dead server left is replaced. */
export function lockHome(home: string, asked: string): HomeState {
  const { pid } = process;
  const own = `${lockFile(home)}.${pid}`;
  const lock: HomeLock = { pid, startTicks: readProcess(pid)?.startTicks ?? "", asked };
  writeFileSync(own, JSON.stringify(lock), { mode: 0o600 });
  try {
    for (;;) {
      try {
        // Appears whole or not at all, and never replaces another's.
        linkSync(own, lockFile(home));
        return { kind: "free" };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const state = readHomeState(home);
      if (state.kind === "held") return state;
      removeDeadLock(home, `${own}.dead`);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/** Between reading a dead lock and removing it, another may have replaced it: its lock is put back. */
function removeDeadLock(home: string, aside: string): void {
  try {
    renameSync(lockFile(home), aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return;
  }
  try {
    if (readState(aside).kind === "held") linkSync(aside, lockFile(home));
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Gives a home back. */
export function unlockHome(home: string): void {
  rmSync(lockFile(home), { force: true });
}

function lockFile(home: string): string {
  return join(home, "server.lock");
}

function parseLock(text: string): HomeLock | undefined {
  try {
    const { pid, startTicks, asked = "" } = JSON.parse(text) as Partial<HomeLock>;
    if (typeof pid !== "number" || typeof startTicks !== "string") return undefined;
    return { pid, startTicks, asked };
  } catch {
    // Written whole or not at all: this is not ours.
    return undefined;
  }
}
