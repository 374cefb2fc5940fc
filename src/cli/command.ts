/** The outside of a command; tests pass their own. */
export interface CommandIo {
  /** Data. */
  readonly stdout: (text: string) => void;
  /** Progress and errors. */
  readonly stderr: (text: string) => void;
  /** All of standard input, read when asked for. */
  readonly stdin: () => Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a person looks at standard output: only then colours and spinners. */
  readonly isTerminal: boolean;
  /**
   * Aborts on Ctrl-C and SIGTERM, with the signal's name as its reason; a command that runs on ends
   * in order when it does.
   */
  readonly signal: AbortSignal;
}

/** Exit codes of every command. */
export const EXIT = { done: 0, findings: 1, failure: 2, timeout: 124 } as const;

/** One verb of `weft`. */
export interface Command {
  /** One line for `weft help`. */
  readonly summary: string;
  /** What `weft help VERB` prints: usage, flags with their defaults, an example. */
  readonly usage: string;
  /** The exit code. A wrong call or a failure is thrown as `CliError`. */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** Ends a command with a message for its user; anything else thrown is a bug and shows a stack. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failure) {
    super(message);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}
