import type { Clock } from "../base/clock.ts";

/** From the most to the least talkative; the names are Envoy's and istiod's. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "none"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields of one line; a value is written as JSON unless it is plain text. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Writes lines: time, level, scope, message, `key=value` fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same sink under another scope, `outer/inner`. */
  scope(name: string): Logger;
}

/** Where a logger writes and what it lets through. */
export interface LoggerOptions {
  readonly clock: Clock;
  /** Takes one line without its end. */
  readonly write: (line: string) => void;
  /** Asked for every line with its scope, so that a level can change while running. */
  readonly level: (scope: string) => LogLevel;
  readonly scope?: string;
}

/** Creates a logger over a sink. */
export function createLogger(options: LoggerOptions): Logger {
  const scope = options.scope ?? "default";
  const log = (level: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(options.level(scope))) return;
    const time = new Date(options.clock.nowMs()).toISOString();
    options.write(`${time}\t${level}\t${scope}\t${message}${formatFields(fields)}`);
  };
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
    scope: (name) =>
      createLogger({ ...options, scope: options.scope === undefined ? name : `${scope}/${name}` }),
  };
}

/** Drops everything: for tests and for embedding. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  scope: () => silentLogger,
};

function formatFields(fields: LogFields | undefined): string {
  if (fields === undefined) return "";
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const plain = typeof value !== "string" || /^[\w./:@|*+-]+$/.test(value);
    text += `\t${key}=${plain ? String(value) : JSON.stringify(value)}`;
  }
  return text;
}
