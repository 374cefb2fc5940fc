import { type Fraction } from "../../match/fraction.ts";

/** What decides of a span that the connection manager would trace, by its parent and its trace. */
export type Sampler = (parentIsSampled: boolean | undefined, traceId: string) => boolean;

/** `samplers.always_on`. */
export const alwaysOn: Sampler = () => true;

/**
 * `samplers.trace_id_ratio_based`: by the first half of the trace's ID, which Envoy reads with its
 * first byte as the lowest.
 */
export function traceIdRatio({ numerator, denominator }: Fraction): Sampler {
  return (_, traceId) => {
    const number = Buffer.from(traceId.substring(0, 16), "hex").readBigUInt64LE();
    return number % BigInt(denominator) < BigInt(numerator);
  };
}

/** `samplers.parent_based`: as the parent did; traces that begin here as another sampler says. */
export function parentBased(root: Sampler): Sampler {
  return (parentIsSampled, traceId) => parentIsSampled ?? root(parentIsSampled, traceId);
}
