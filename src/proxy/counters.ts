import { Histogram } from "./stats/histogram.ts";

/** Counters and gauges of one prefix: plain numbers under Envoy's names, as `/stats` shows them. */
export type Counters = Record<string, number>;

/**
 * Prefixes that hold a name of a listener's: nobody knows how many of these there will be. Numbers of a
 * cluster may be counted by filters that do not last as long as it does, so they stay.
 */
const NAMED = /^(?:http|tcp|listener|connection_limit)\./;

/**
 * The counters of what comes and goes with configuration. Whoever asks for a prefix gets the same
 * numbers as the one before, so that they go on counting over updates, as Envoy's do. Those of what
 * a listener names are there as long as somebody holds them, which who counts must do: when the last
 * one that counts under a name is gone they go too, some time after.
 */
export class CounterGroups {
  readonly #fixed = new Map<string, Counters>();
  readonly #named = new WeakValues<Counters>();
  readonly #fixedHistograms = new Map<string, Histogram>();
  readonly #namedHistograms = new WeakValues<Histogram>();

  /** The counters of `prefix`, which begin as `zero` says. */
  get<Names extends Counters>(prefix: string, zero: Names): Names {
    const groups = NAMED.test(prefix) ? this.#named : this.#fixed;
    const known = groups.get(prefix);
    // Two kinds may share a prefix: each has its own names in it.
    const group = Object.assign(known ?? {}, { ...zero, ...known });
    if (known === undefined) groups.set(prefix, group);
    return group as Names;
  }

  /** The histogram of that full name. */
  histogram(name: string): Histogram {
    const histograms = NAMED.test(name) ? this.#namedHistograms : this.#fixedHistograms;
    const known = histograms.get(name);
    if (known !== undefined) return known;
    const histogram = new Histogram();
    histograms.set(name, histogram);
    return histogram;
  }

  get histograms(): ReadonlyMap<string, Histogram> {
    return new Map([...this.#fixedHistograms, ...this.#namedHistograms.entries()]);
  }

  /** Full names and values. */
  *entries(): Generator<readonly [name: string, value: number]> {
    for (const groups of [this.#fixed, this.#named]) {
      for (const [prefix, group] of groups.entries()) {
        const start = prefix === "" ? "" : `${prefix}.`;
        for (const [name, value] of Object.entries(group)) yield [start + name, value];
      }
    }
  }
}

/** Values by name that go when nobody else holds them. */
class WeakValues<Value extends object> {
  readonly #byName = new Map<string, WeakRef<Value>>();
  readonly #gone = new FinalizationRegistry<string>((name) => {
    // Another one may have come under that name meanwhile.
    if (this.get(name) === undefined) this.#byName.delete(name);
  });

  get(name: string): Value | undefined {
    return this.#byName.get(name)?.deref();
  }

  set(name: string, value: Value): void {
    this.#byName.set(name, new WeakRef(value));
    this.#gone.register(value, name);
  }

  *entries(): Generator<readonly [name: string, value: Value]> {
    for (const [name, held] of this.#byName) {
      const value = held.deref();
      if (value !== undefined) yield [name, value];
    }
  }
}
