import type { Logger } from "../../telemetry/log.ts";

/**
 * What goes wrong while several parts ask one server, each thing said once: when the first part
 * meets it and when the last one is over it.
 */
export class Troubles {
  readonly #log: Logger;
  readonly #byPart = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** A part meets something; instead of what it met before. */
  note(part: string, message: string): void {
    const before = this.#byPart.get(part);
    if (before === message) return;
    if (!this.#has(message)) this.#log.warn(message);
    this.#byPart.set(part, message);
    this.#sayIfOver(before);
  }

  /** A part is well. */
  clear(part: string): void {
    const before = this.#byPart.get(part);
    this.#byPart.delete(part);
    this.#sayIfOver(before);
  }

  #sayIfOver(message: string | undefined): void {
    if (message !== undefined && !this.#has(message)) this.#log.warn(`over: ${message}`);
  }

  #has(message: string): boolean {
    return [...this.#byPart.values()].includes(message);
  }
}
