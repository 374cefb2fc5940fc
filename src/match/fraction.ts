import {
  FractionalPercent_DenominatorType as Denominator,
  type FractionalPercent,
} from "../api/gen/envoy/type/v3/percent_pb.js";

/** So many of so many: what a number that stands for the request is held against. */
export interface Fraction {
  readonly numerator: number;
  /** 100, 10,000 or 1,000,000. */
  readonly denominator: number;
}

const DENOMINATORS: Readonly<Record<Denominator, number>> = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
};

export function fractionOf({ numerator, denominator }: FractionalPercent): Fraction {
  return { numerator, denominator: DENOMINATORS[denominator] ?? 100 };
}

/** Whether a number is among those that the fraction is for: the same number always is, or never. */
export function isWithin(number: number, { numerator, denominator }: Fraction): boolean {
  return number % denominator < numerator;
}
