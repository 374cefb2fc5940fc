import type { H2Listener } from "./h2-bootstrap.ts";
import type { H2Request } from "./h2-client.ts";

/** Requests over HTTP/2 that go through weft's proxy and through Envoy, which must do the same. */
export interface H2Case {
  readonly name: string;
  /** `http2` when absent. */
  readonly listener?: H2Listener;
  readonly requests: readonly H2Request[];
  /** The status of each answer; 0 for none. */
  readonly status: readonly number[];
  /** Whether they go out one after the other, and not all at once. */
  readonly inTurn?: boolean;
  /** What may differ, and why stands beside the case. */
  readonly ignores?: readonly ("body" | "upstream" | "log" | "reset" | "time")[];
}
