/** Bytes that go through weft's proxy and through Envoy, which must answer alike. */
export interface DifferentialCase {
  readonly name: string;
  /** Of `differential-bootstrap.ts`; "main" when absent. */
  readonly listener?: ListenerName;
  /** What the client writes, in Latin-1; several parts wait for one another. */
  readonly send: string | readonly string[];
  /** The status of every answer, interim ones included. */
  readonly status: readonly number[];
  /** The methods sent, when one of them is HEAD. */
  readonly methods?: readonly string[];
  /**
   * Envoy's own statuses where weft is stricter on purpose, and why; then nothing else is
   * compared. weft is never the laxer one.
   */
  readonly stricter?: { readonly envoy: readonly number[]; readonly why: string };
  /** Headers of the answer that may differ, and why stands beside the case. */
  readonly ignoredHeaders?: readonly string[];
}

export type ListenerName = "main" | "edge" | "http10" | "plain";
