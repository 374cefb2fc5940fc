import type { LogLevel } from "../telemetry/log.ts";

/** Envoy's levels, and what they are called here: two of them are one here. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: "debug",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  critical: "error",
  off: "none",
};

/** Envoy's names of the parts that there are here too. */
const COMPONENTS = [
  "admin",
  "config",
  "connection",
  "file",
  "filter",
  "http",
  "main",
  "pool",
  "router",
  "secret",
  "upstream",
] as const;

const USAGE =
  "usage: /logging?<name>=<level> (change single level)\n" +
  "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n" +
  "usage: /logging?level=<level> (change all levels)\n" +
  `levels: ${Object.keys(LEVELS).join(" ")} \n`;

/** What each part of a proxy logs; the admin port changes it while it runs. */
export class LogLevels {
  /** By Envoy's names of levels. */
  readonly #levels = new Map<string, string>();

  constructor(level: LogLevel) {
    const name = Object.keys(LEVELS).findLast((known) => LEVELS[known] === level) ?? "info";
    for (const component of COMPONENTS) {
      this.#levels.set(component, level === "error" ? "error" : name);
    }
  }

  /** The level of a logger's scope, whose last part names the component. */
  of(scope: string): LogLevel {
    const component = scope.substring(scope.lastIndexOf("/") + 1);
    return LEVELS[this.#levels.get(component) ?? this.#levels.get("main") ?? ""] ?? "info";
  }

  /** Answers `/logging`: changes what the query says, or says what is wrong with it. */
  answer(query: URLSearchParams): { readonly status: number; readonly body: string } {
    const problem = this.#change(query);
    const list = [...this.#levels].map(([name, level]) => `  ${name}: ${level}\n`).join("");
    const body = `active loggers:\n${list}\n`;
    if (problem === undefined) return { status: 200, body };
    return { status: 400, body: `error: ${problem}\n\n${USAGE}${body}` };
  }

  #change(query: URLSearchParams): string | undefined {
    const [first, second] = [...query];
    if (first === undefined) return undefined;
    if (second !== undefined) return "invalid number of parameters";
    const [name, value] = first;
    if (name === "level") return this.#set(COMPONENTS.map((component) => [component, value]));
    if (name !== "paths") return this.#set([[name, value]]);
    const pairs = value.split(",").map((pair): [string, string] => {
      const [path = "", level = ""] = pair.split(":");
      return [path, level];
    });
    return this.#set(pairs);
  }

  /** All of them or none. */
  #set(changes: readonly (readonly [name: string, level: string])[]): string | undefined {
    for (const [name, level] of changes) {
      if (!Object.hasOwn(LEVELS, level)) return "unknown logger level";
      if (!this.#levels.has(name)) return "unknown logger name";
    }
    for (const [name, level] of changes) this.#levels.set(name, level);
    return undefined;
  }
}
