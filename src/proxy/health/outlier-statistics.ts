/** Envoy's word for a rate that is not known. */
export const NO_RATE = -1;

/** What came of requests to one host, interval by interval. */
export class SuccessWindow {
  #total = 0;
  #successes = 0;
  /** Requests of the interval that ended last. */
  endedTotal = 0;
  #endedSuccesses = 0;
  /** The share of successes in percent that counted last; `NO_RATE` where there were too few. */
  rate = NO_RATE;

  add(isSuccess: boolean): void {
    this.#total++;
    if (isSuccess) this.#successes++;
  }

  /** Ends the interval; the next one begins with nothing. */
  turn(): void {
    this.endedTotal = this.#total;
    this.#endedSuccesses = this.#successes;
    this.#total = 0;
    this.#successes = 0;
    this.rate = NO_RATE;
  }

  /** In percent, of the interval that ended last; means nothing where nothing came in it. */
  get endedRate(): number {
    return (this.#endedSuccesses * 100) / this.endedTotal;
  }
}

/** What the success rates of a cluster's hosts are held against, in percent. */
export interface SuccessRates {
  readonly average: number;
  /** A host below it is an outlier. */
  readonly threshold: number;
}

export const NO_SUCCESS_RATES: SuccessRates = { average: NO_RATE, threshold: NO_RATE };

/** The mean of the rates, and the mean less so many standard deviations. */
export function successRates(rates: readonly number[], deviations: number): SuccessRates {
  const average = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const variance = rates.reduce((sum, rate) => sum + (rate - average) ** 2, 0) / rates.length;
  return { average, threshold: average - deviations * Math.sqrt(variance) };
}
