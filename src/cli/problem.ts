import { isError } from "../base/issue.ts";
import { type FileProblem, formatProblem } from "../config/yaml.ts";
import type { CommandIo } from "./command.ts";

/**
 * Says what is wrong in files, each line once: the client and the API often find the same. Whether
 * one of the problems was an error.
 */
export class ProblemPrinter {
  readonly #io: CommandIo;
  readonly #said = new Set<string>();
  #hasErrors = false;

  constructor(io: CommandIo) {
    this.#io = io;
  }

  get hasErrors(): boolean {
    return this.#hasErrors;
  }

  print(problems: readonly FileProblem[]): void {
    for (const problem of problems) {
      const text = formatProblem(problem);
      if (isError(problem.issue)) this.#hasErrors = true;
      if (this.#said.has(text)) continue;
      this.#said.add(text);
      this.#io.stderr(isError(problem.issue) ? `${text}\n` : `Warning: ${text}\n`);
    }
  }
}
