import { formatIssue, type Issue, isError } from "../base/issue.ts";
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
    for (const problem of problems) this.#say(formatProblem(problem), problem.issue);
  }

  /** Of an object that stands in no file, such as one that weft made of another. */
  printUnplaced(subject: string, issue: Issue): void {
    this.#say(`${subject}: ${formatIssue(issue)}`, issue);
  }

  #say(text: string, issue: Issue): void {
    if (isError(issue)) this.#hasErrors = true;
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.#io.stderr(isError(issue) ? `${text}\n` : `Warning: ${text}\n`);
  }
}
