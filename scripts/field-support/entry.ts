/** What is known of a field, or of all fields below it. */
export interface Support {
  /** "yes", or what happens instead: a refusal or a warning in its own words. */
  readonly weft: string;
  /** The same with a real Envoy as the proxy. */
  readonly envoy: string;
  /** What shows it: `path` of a test or of a golden case, or `path: name of the case`. */
  readonly tests: readonly string[];
}

/** Support by path; of several that a field is below, the longest holds. */
export type SupportTable = Readonly<Record<string, Support>>;

/** Takes every field away in turn, and looks what proxies get, and what the author is told. */
export const EFFECTS = "test/fields/field-effects.test.ts";

/** Works on weft's proxy and on Envoy. */
export function works(...tests: readonly string[]): Support {
  return { weft: "yes", envoy: "yes", tests: [...tests, EFFECTS] };
}

/** Works on weft's proxy and on Envoy, which only the tests named here show. */
export function shownBy(...tests: readonly string[]): Support {
  return { weft: "yes", envoy: "yes", tests };
}

/** Works on Envoy; for a proxy of weft the author is told so in these words. */
export function worksOnEnvoy(weft: string, ...tests: readonly string[]): Support {
  return { weft, envoy: "yes", tests: [...tests, EFFECTS] };
}

/** Works nowhere: the object is refused, or warned about, in these words. */
export function says(message: string, ...tests: readonly string[]): Support {
  return { weft: message, envoy: message, tests };
}

/** There is nothing to do for a proxy, and no word about it: why. */
export function needsNothing(why: string): Support {
  return { weft: `${NO_NEED}${why}`, envoy: `${NO_NEED}${why}`, tests: [EFFECTS] };
}

/** Works on Envoy; on weft's proxy there is nothing to do, and no word about it: why. */
export function needsNothingOnWeft(why: string, ...tests: readonly string[]): Support {
  return { weft: `${NO_NEED}${why}`, envoy: "yes", tests: [...tests, EFFECTS] };
}

/** How an entry begins that is kept by doing nothing. */
export const NO_NEED = "nothing to do: ";

/** What stands in the table for a field that is taken and that nothing is made of. */
export const NOTHING = "nothing is made of it yet";
