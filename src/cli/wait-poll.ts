import type { Clock } from "../base/clock.ts";
import { CliError, type CommandIo, EXIT } from "./command.ts";

/** How often it is looked again. */
const POLL_MS = 100;

/** What one look found. */
export type WaitLook =
  | { readonly state: "done"; readonly text: string }
  /** It will not come by itself. */
  | { readonly state: "failed"; readonly text: string }
  /** There is no such thing, which ends it as a wrong call does. */
  | { readonly state: "missing"; readonly text: string }
  /** `text` says what is missing, for when the time is over. */
  | { readonly state: "waiting"; readonly text: string };

/** One thing that is waited for, by its name for people. */
export interface Waited {
  readonly label: string;
}

/**
 * Looks until everything is as it is to be, something failed, or the time is over; the exit code.
 * A look that fails (nobody answers) counts as one that found nothing, but for the first.
 */
export async function pollUntilDone<T extends Waited>(
  waited: readonly T[],
  look: (waiting: readonly T[]) => Promise<ReadonlyMap<T, WaitLook>>,
  { clock, io, timeoutMs }: { clock: Clock; io: CommandIo; timeoutMs: number },
): Promise<number> {
  const endMs = clock.monotonicMs() + timeoutMs;
  let waiting = waited;
  let last = await look(waiting);
  for (;;) {
    for (const one of waiting) {
      const found = last.get(one);
      if (found?.state === "missing") throw new CliError(found.text);
      if (found?.state === "done") io.stdout(`${one.label} ${found.text}\n`);
      if (found?.state === "failed") io.stderr(`weft: ${one.label} ${found.text}\n`);
    }
    if (waiting.some((one) => last.get(one)?.state === "failed")) return EXIT.findings;
    waiting = waiting.filter((one) => last.get(one)?.state !== "done");
    if (waiting.length === 0) return EXIT.done;
    if (io.signal.aborted) throw new CliError("interrupted");
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0) break;
    await clock.sleep(Math.min(POLL_MS, leftMs), io.signal);
    last = await lookAgain(look, waiting, io);
  }
  const seconds = timeoutMs / 1000;
  for (const one of waiting) {
    io.stderr(`weft: timed out after ${seconds}s waiting for ${one.label}: `);
    io.stderr(`${last.get(one)?.text ?? "nothing is known of it"}\n`);
  }
  return EXIT.timeout;
}

async function lookAgain<T extends Waited>(
  look: (waiting: readonly T[]) => Promise<ReadonlyMap<T, WaitLook>>,
  waiting: readonly T[],
  io: CommandIo,
): Promise<ReadonlyMap<T, WaitLook>> {
  try {
    return await look(waiting);
  } catch (error) {
    if (!(error instanceof CliError) || io.signal.aborted) throw error;
    const known = waiting.map((one): [T, WaitLook] => [
      one,
      { state: "waiting", text: error.message },
    ]);
    return new Map(known);
  }
}
