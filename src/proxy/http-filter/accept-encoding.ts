/** A compressor that a response may be compressed by. */
export interface OfferedEncoding {
  readonly encoding: string;
  /** It comes first where clients like several alike. */
  readonly isFirst: boolean;
}

/** What a client's `accept-encoding` comes to, and why. */
export interface EncodingChoice {
  /** `identity` for none. */
  readonly encoding: string;
  readonly reason: "valid" | "identity" | "wildcard" | "not_valid";
}

const NOT_VALID: EncodingChoice = { encoding: "identity", reason: "not_valid" };

/** Chooses among what is offered by the weights of `accept-encoding` (RFC 9110 12.5.3), as Envoy. */
export function chooseEncoding(
  accepted: string,
  offered: readonly OfferedEncoding[],
): EncodingChoice {
  const allowed = new Map<string, OfferedEncoding>();
  for (const one of offered) {
    const known = allowed.get(one.encoding);
    if (known === undefined || (one.isFirst && !known.isFirst)) allowed.set(one.encoding, one);
  }
  const wanted = parseAccepted(accepted);
  for (const { encoding, weight } of wanted) if (weight === 0) allowed.delete(encoding);
  if (wanted.length === 0 || allowed.size === 0) return NOT_VALID;
  const best = heaviest(wanted, allowed);
  if (best === undefined) return NOT_VALID;
  if (best === "identity") return { encoding: best, reason: "identity" };
  if (best !== "*") return { encoding: best, reason: "valid" };
  const [first] = allowed.keys();
  return { encoding: first ?? "identity", reason: "wildcard" };
}

/** The first of the greatest weight, or the one that comes first where several have it. */
function heaviest(
  wanted: readonly Accepted[],
  allowed: ReadonlyMap<string, OfferedEncoding>,
): string | undefined {
  const preferred = [...allowed.values()].filter(({ isFirst }) => isFirst).at(-1)?.encoding;
  let best: string | undefined;
  let bestWeight = 0;
  for (const { encoding, weight } of wanted) {
    const isKnown = allowed.has(encoding) || encoding === "identity" || encoding === "*";
    const isTie = weight === bestWeight && encoding === preferred;
    if (!isKnown || weight === 0 || (weight <= bestWeight && !isTie)) continue;
    best = encoding;
    bestWeight = weight;
  }
  return best;
}

interface Accepted {
  readonly encoding: string;
  readonly weight: number;
}

/** Those whose weight is no number are left out. */
function parseAccepted(accepted: string): readonly Accepted[] {
  return accepted.split(",").flatMap((token): Accepted[] => {
    if (token === "") return [];
    const [name = "", ...params] = token.split(";");
    const [key = "", value] = params.join(";").split("=");
    const encoding = name.trim();
    if (value === undefined || key.trim().toLowerCase() !== "q") return [{ encoding, weight: 1 }];
    const weight = value.trim() === "" ? Number.NaN : Number(value);
    return Number.isNaN(weight) ? [] : [{ encoding, weight }];
  });
}
