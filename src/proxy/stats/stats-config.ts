import { DEFAULT_TAG_RULES, type Tag, type TagRule } from "./tags.ts";

/** How statistics are named and which are shown; decoded from a bootstrap's `stats_config`. */
export interface StatsConfig {
  readonly tagRules: readonly TagRule[];
  /** Labels that every metric has. */
  readonly fixedTags: readonly Tag[];
  readonly isKept: (name: string) => boolean;
  /** The first rule that matches says what the buckets of a histogram are. */
  readonly buckets: readonly {
    readonly matches: (name: string) => boolean;
    readonly bounds: readonly number[];
  }[];
}

/** Envoy's own bounds, in milliseconds where a histogram measures time. */
const DEFAULT_BOUNDS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000,
  1_800_000, 3_600_000,
];

/** When a bootstrap says nothing. */
export const DEFAULT_STATS_CONFIG: StatsConfig = {
  tagRules: DEFAULT_TAG_RULES,
  fixedTags: [],
  isKept: () => true,
  buckets: [],
};

/** The upper bounds of a histogram's buckets. */
export function boundsOf({ buckets }: StatsConfig, name: string): readonly number[] {
  return buckets.find(({ matches }) => matches(name))?.bounds ?? DEFAULT_BOUNDS;
}
