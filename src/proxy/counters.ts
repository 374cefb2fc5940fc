import { Histogram } from "./stats/histogram.ts";

/** Counters and gauges of one prefix: plain numbers under Envoy's names, as `/stats` shows them. */
export type Counters = Record<string, number>;

/**
 * The counters of what comes and goes with configuration. Whoever asks for a prefix gets the same
 * numbers as the one before, so that they go on counting over updates, as Envoy's do.
 */
export class CounterGroups {
  readonly #groups = new Map<string, Counters>();
  readonly #histograms = new Map<string, Histogram>();

  /** The counters of `prefix`, which begin as `zero` says. */
  get<Names extends Counters>(prefix: string, zero: Names): Names {
    const known = this.#groups.get(prefix);
    // Two kinds may share a prefix: each has its own names in it.
    const group = Object.assign(known ?? {}, { ...zero, ...known });
    this.#groups.set(prefix, group);
    return group as Names;
  }

  /** The histogram of that full name. */
  histogram(name: string): Histogram {
    let histogram = this.#histograms.get(name);
    if (histogram === undefined) {
      histogram = new Histogram();
      this.#histograms.set(name, histogram);
    }
    return histogram;
  }

  get histograms(): ReadonlyMap<string, Histogram> {
    return this.#histograms;
  }

  /** Full names and values. */
  *entries(): Generator<readonly [name: string, value: number]> {
    for (const [prefix, group] of this.#groups) {
      const start = prefix === "" ? "" : `${prefix}.`;
      for (const [name, value] of Object.entries(group)) yield [start + name, value];
    }
  }
}
