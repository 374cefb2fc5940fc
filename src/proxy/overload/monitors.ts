import { readFileSync } from "node:fs";
import { getHeapStatistics } from "node:v8";
import type { Clock } from "../../base/clock.ts";
import { FileWatch } from "../secret/file-watch.ts";

/** Measures one resource. */
export interface Monitor {
  /** From 0, unused, to 1, used up; throws when it cannot be said. */
  measure(): number;
  /** It is not asked any more. */
  close(): void;
}

/** What JavaScript holds: its heap in use and the buffers outside of it, against a bound. */
export function heapMonitor(bytesMax: number): Monitor {
  return {
    measure() {
      const { used_heap_size: used, external_memory: external } = getHeapStatistics();
      return (used + external) / bytesMax;
    },
    close: () => undefined,
  };
}

/** The number that a file holds; the file is read again when it has changed. */
export class FileMonitor implements Monitor {
  readonly #path: string;
  readonly #watch: FileWatch;
  #isChanged = true;
  #pressure = 0;
  #error: Error | undefined = undefined;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#watch = new FileWatch([path], "", clock, () => {
      this.#isChanged = true;
    });
  }

  measure(): number {
    if (this.#isChanged) this.#read();
    if (this.#error !== undefined) throw this.#error;
    return this.#pressure;
  }

  #read(): void {
    this.#isChanged = false;
    try {
      this.#pressure = parsePressure(readFileSync(this.#path, "utf8"));
      this.#error = undefined;
    } catch (error) {
      this.#error = error instanceof Error ? error : new Error(String(error));
    }
  }

  close(): void {
    this.#watch.close();
  }
}

function parsePressure(text: string): number {
  const pressure = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isNaN(pressure)) throw new Error("failed to parse injected resource pressure");
  if (pressure < 0 || pressure > 1) throw new Error("pressure out of range");
  return pressure;
}

/** All connections from clients, which are asked for one by one. */
export class ConnectionMonitor implements Monitor {
  readonly #connectionsMax: number;
  #connections = 0;

  constructor(connectionsMax: number) {
    this.#connectionsMax = connectionsMax;
  }

  /** False when there are as many as may be. */
  take(): boolean {
    if (this.#connections >= this.#connectionsMax) return false;
    this.#connections++;
    return true;
  }

  release(): void {
    this.#connections--;
  }

  measure(): number {
    return this.#connections / this.#connectionsMax;
  }

  close(): void {
    // It holds nothing.
  }
}
