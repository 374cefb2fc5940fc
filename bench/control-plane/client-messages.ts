import type { Variant } from "./discovery-wire.ts";
import type { Mark } from "./mesh-objects.ts";

/** What a process of clients is told. */
export type ClientCommand =
  | {
      readonly do: "connect";
      readonly port: number;
      readonly variant: Variant;
      /** Clients from this number on, and so many of them. */
      readonly from: number;
      readonly count: number;
    }
  | { readonly do: "await"; readonly turn: number; readonly mark: Mark }
  | { readonly do: "tally" };

/** First and last of something that each client did, in ms of the machine's monotonic clock. */
export interface Span {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Sums over the clients of a process. */
export interface Tally {
  readonly bytes: number;
  readonly responses: number;
  /** How often a client was turned away and came back. */
  readonly retries: number;
  readonly cpuMicros: number;
}

/** What a process of clients says. */
export type ClientReport =
  | { readonly is: "started" }
  | { readonly is: "ready"; readonly beganMs: number; readonly span: Span }
  | { readonly is: "awaiting"; readonly turn: number }
  | { readonly is: "arrived"; readonly turn: number; readonly span: Span }
  | { readonly is: "tally"; readonly tally: Tally }
  | { readonly is: "failed"; readonly reason: string };

/** Milliseconds of the clock that all processes of a machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
