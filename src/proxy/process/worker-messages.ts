import type { ResourceUpdate } from "../../xdsclient/resource-type.ts";
import type { DrainStrategy } from "../listener/drain.ts";
import type { AdminCommand } from "./process-info.ts";

/** With what a worker begins. */
export interface WorkerStart {
  readonly bootstrap: string;
  readonly overlay: string | undefined;
  readonly logLevel: string;
  readonly concurrency: number;
  readonly drainMs: number | undefined;
  readonly drainStrategy: DrainStrategy | undefined;
}

/** What the leading process asks a worker. */
export type WorkerAsk =
  | ({ readonly kind: "start" } & WorkerStart)
  | { readonly kind: "apply"; readonly typeUrl: string; readonly update: ResourceUpdate }
  | { readonly kind: "numbers"; readonly endsInterval: boolean }
  | ({ readonly kind: "admin" } & AdminCommand)
  | { readonly kind: "reopenLogs" }
  /** Another proxy serves in place of this one. */
  | { readonly kind: "drain" }
  /** Whether no client is connected any more. */
  | { readonly kind: "isIdle" }
  | { readonly kind: "stop"; readonly drainMs: number };

/** What a worker asks the leading process: for a listening socket. */
export interface LeaderAsk {
  readonly kind: "socket";
  readonly address: string;
}
