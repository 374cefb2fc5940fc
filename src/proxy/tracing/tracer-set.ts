import type { ProxyContext } from "../context.ts";
import type { Tracer } from "./span.ts";

/** A tracer that runs, and what ends it. */
export interface OpenTracer {
  readonly tracer: Tracer;
  /** Drops what waits; nothing is taken afterwards. */
  close(): void;
}

/** A tracer, decoded and checked. */
export interface TracerConfig {
  /** Of its message: one with the same is the same. */
  readonly digest: string;
  /** A cluster that must be there where a bootstrap says so; "" for none. */
  readonly neededCluster: string;
  readonly open: (context: ProxyContext) => OpenTracer;
}

/**
 * The tracers of a proxy. Connection managers that say the same of theirs share one, so that their
 * spans fill one report; one that nobody uses any more is gone with its last report.
 */
export class TracerSet {
  readonly #open = new Map<string, WeakRef<OpenTracer>>();

  open({ digest, open }: TracerConfig, context: ProxyContext): Tracer {
    const known = this.#open.get(digest)?.deref();
    if (known !== undefined) return known.tracer;
    for (const [key, one] of this.#open) {
      if (one.deref() === undefined) this.#open.delete(key);
    }
    const opened = open(context);
    this.#open.set(digest, new WeakRef(opened));
    return opened.tracer;
  }

  close(): void {
    for (const one of this.#open.values()) one.deref()?.close();
    this.#open.clear();
  }
}
