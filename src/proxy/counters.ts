import { Histogram } from "./stats/histogram.ts";

/** Counters and gauges of one prefix: plain numbers under Envoy's names, as `/stats` shows them. */
export type Counters = Record<string, number>;

/** Prefixes that hold a name of the configuration: nobody knows how many of these there will be. */
const NAMED = /^(?:http|tcp|cluster|listener|connection_limit)\./;

/**
 * The counters of what comes and goes with configuration. Whoever asks for a prefix gets the same
 * numbers as the one before, so that they go on counting over updates, as Envoy's do. Those of what
 * has a name of its own are there as long as somebody holds them, which who counts must do: when the
 * last listener or cluster that counts under a name is gone they go too, some time after.
 */
export class CounterGroups {
  readonly #fixed = new Map<string, Counters>();
  readonly #named = new WeakValues<Counters>();
  readonly #histograms = new WeakValues<Histogram>();

  /** The counters of `prefix`, which begin as `zero` says. */
  get<Names extends Counters>(prefix: string, zero: Names): Names {
    const groups = NAMED.test(prefix) ? this.#named : this.#fixed;
    const known = groups.get(prefix);
    // Two kinds may share a prefix: each has its own names in it.
    const group = Object.assign(known ?? {}, { ...zero, ...known });
    if (known === undefined) groups.set(prefix, group);
    return group as Names;
  }

  /** The histogram of that full name; it is there as long as somebody holds it. */
  histogram(name: string): Histogram {
    const known = this.#histograms.get(name);
    if (known !== undefined) return known;
    const histogram = new Histogram();
    this.#histograms.set(name, histogram);
    return histogram;
  }

  get histograms(): ReadonlyMap<string, Histogram> {
    return new Map(this.#histograms.entries());
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
