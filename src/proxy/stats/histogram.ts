/** The quantiles that are shown, in percent, as Envoy shows them. */
export const QUANTILES = [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100] as const;

/** How many values a decade tells apart: their first two digits, 10 to 99. */
const BINS_PER_DECADE = 90;

/** One bin that holds values: from `start`, `width` wide. */
export interface Bin {
  readonly start: number;
  readonly width: number;
  readonly count: number;
}

/** Counts of values by their first two digits; a decade takes memory when a value falls into it. */
class Bins {
  count = 0;
  sum = 0;
  /** Values below 1: of whole numbers, 0. */
  #zeros = 0;
  readonly #decades: (number[] | undefined)[] = [];

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value < 1) {
      this.#zeros++;
      return;
    }
    let decade = 0;
    let digits = value * 10;
    while (digits >= 100) {
      digits /= 10;
      decade++;
    }
    let counts = this.#decades[decade];
    if (counts === undefined) {
      counts = Array.from({ length: BINS_PER_DECADE }, () => 0);
      this.#decades[decade] = counts;
    }
    const at = Math.floor(digits) - 10;
    counts[at] = (counts[at] ?? 0) + 1;
  }

  merge(other: Bins): void {
    this.count += other.count;
    this.sum += other.sum;
    this.#zeros += other.#zeros;
    for (const [decade, counts] of other.#decades.entries()) {
      if (counts === undefined) continue;
      const own = this.#decades[decade];
      this.#decades[decade] = own?.map((count, at) => count + (counts[at] ?? 0)) ?? [...counts];
    }
  }

  /** The bins that hold something, in order. */
  bins(): Bin[] {
    const bins: Bin[] = this.#zeros === 0 ? [] : [{ start: 0, width: 0, count: this.#zeros }];
    for (const [decade, counts] of this.#decades.entries()) {
      const width = 10 ** (decade - 1);
      for (const [at, count] of (counts ?? []).entries()) {
        if (count > 0) bins.push({ start: (at + 10) * width, width, count });
      }
    }
    return bins;
  }
}

/** What was recorded in one span of time. */
export interface Recorded {
  readonly count: number;
  readonly sum: number;
  readonly bins: readonly Bin[];
}

/** What of a histogram is shown. */
export interface HistogramView {
  readonly isEmpty: boolean;
  /** Of the last interval that ended. */
  interval(): Recorded;
  /** Of all intervals that ended. */
  cumulative(): Recorded;
}

/** What several processes recorded, as if it were one. */
export function mergeRecorded(parts: readonly Recorded[]): Recorded {
  const bins = new Map<number, Bin>();
  for (const bin of parts.flatMap((part) => part.bins)) {
    const known = bins.get(bin.start);
    bins.set(bin.start, known === undefined ? bin : { ...bin, count: known.count + bin.count });
  }
  return {
    count: parts.reduce((count, part) => count + part.count, 0),
    sum: parts.reduce((sum, part) => sum + part.sum, 0),
    bins: [...bins.values()].sort((one, two) => one.start - two.start),
  };
}

/**
 * A histogram of whole numbers that are not negative: adding costs a few instructions, quantiles
 * are worked out when somebody reads them. What it tells apart are the first two digits, as
 * Envoy's do, so that both print the same.
 */
export class Histogram implements HistogramView {
  #current = new Bins();
  #interval = new Bins();
  readonly #all = new Bins();

  add(value: number): void {
    this.#current.add(value);
  }

  get isEmpty(): boolean {
    return this.#current.count === 0 && this.#all.count === 0;
  }

  /** Ends an interval: what is shown as such is what was added since the last one ended. */
  endInterval(): void {
    if (this.#current.count === 0 && this.#interval.count === 0) return;
    this.#all.merge(this.#current);
    this.#interval = this.#current;
    this.#current = new Bins();
  }

  /** Of the last interval that ended. */
  interval(): Recorded {
    const { count, sum } = this.#interval;
    return { count, sum, bins: this.#interval.bins() };
  }

  /** Of all intervals that ended. */
  cumulative(): Recorded {
    const { count, sum } = this.#all;
    return { count, sum, bins: this.#all.bins() };
  }
}

/** The values at `QUANTILES`; NaN for each when nothing was recorded. */
export function quantilesOf({ bins, count }: Recorded): number[] {
  return QUANTILES.map((percent) => quantile(bins, count, percent / 100));
}

/** Values are taken to be spread evenly over their bin, as in Envoy's library (circllhist). */
function quantile(bins: readonly Bin[], count: number, share: number): number {
  const rank = share * count;
  let before = 0;
  for (const [at, bin] of bins.entries()) {
    const isLast = at === bins.length - 1;
    if (before + bin.count < rank && !isLast) {
      before += bin.count;
      continue;
    }
    const place = Math.max(1, Math.ceil(rank - before));
    return bin.start + (bin.width * place) / (bin.count + 1);
  }
  return Number.NaN;
}

/** How many values were at most each of the bounds, or in the bin that begins with it. */
export function countsUpTo({ bins }: Recorded, bounds: readonly number[]): number[] {
  return bounds.map((bound) => {
    let count = 0;
    for (const bin of bins) if (bin.start <= bound) count += bin.count;
    return count;
  });
}
