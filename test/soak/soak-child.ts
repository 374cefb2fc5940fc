import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** So long a process under test may take for its start, and for a collection of garbage. */
const ANSWER_MS_MAX = 60_000;

/**
 * The process that a soak looks at, apart from all that works on it. It is told by `Command`s over
 * the channel of `fork`, answers some of them by a `Report`, and ends by itself when told to.
 */
export class SoakChild<Command extends object, Report extends { readonly is: string }> {
  readonly #child: ChildProcess;
  readonly #closed: Promise<void>;

  /** `file` is a name in this folder. */
  constructor(file: string, execArgv: readonly string[] = []) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    this.#child = fork(path, [], {
      execArgv: ["--expose-gc", ...execArgv, "--import", "tsx"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#closed = new Promise((resolve) => this.#child.once("close", () => resolve()));
    // What cannot be told to one that is gone: that it is, `close` says.
    this.#child.on("error", () => undefined);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  tell(command: Command): void {
    this.#child.send(command);
  }

  /** The next report of that sort. */
  answer<Is extends Report["is"]>(is: Is): Promise<Report & { readonly is: Is }> {
    return new Promise((resolve, reject) => {
      const end = (error: Error): void => {
        clearTimeout(timer);
        this.#child.off("message", take).off("close", gone);
        reject(error);
      };
      const take = (report: Report): void => {
        if (report.is !== is) return;
        clearTimeout(timer);
        this.#child.off("message", take).off("close", gone);
        resolve(report as Report & { readonly is: Is });
      };
      const gone = (): void => end(new Error(`the process ended before it was ${is}`));
      const timer = setTimeout(() => {
        end(new Error(`the process was not ${is} after ${ANSWER_MS_MAX} ms`));
      }, ANSWER_MS_MAX);
      this.#child.on("message", take).once("close", gone);
    });
  }

  /** Tells it to end, and ends it where it does not. */
  async stop(command: Command): Promise<void> {
    if (!this.hasEnded && this.#child.connected) this.tell(command);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), ANSWER_MS_MAX);
    await this.#closed;
    clearTimeout(timer);
  }
}
