import type { Issue } from "../base/issue.ts";
import type { FileReader } from "./direct-action.ts";
import type { FilterOverrideDecoder, FilterOverrides } from "./filter-overrides.ts";
import type { LevelMutations } from "./header-mutations.ts";
import type { MirrorPolicy } from "./mirror-policy.ts";
import type { PathMatch } from "./path-match.ts";
import type { RetryPolicy } from "./retry-policy.ts";

/** What decoding a route table needs from outside: the room of the matchers is pure. */
export interface RouteDecodeDeps {
  readonly readFile: FileReader;
  readonly decodeOverride: FilterOverrideDecoder;
}

/** What holds for all of a route table. */
export interface TableContext extends RouteDecodeDeps {
  readonly mostSpecificWins: boolean;
  readonly ignoresParameters: boolean;
  readonly directBodyBytesMax: number;
  readonly issues: Issue[];
}

/** What a level hands down to those inside it. */
export interface LevelContext extends TableContext {
  readonly path: string;
  /** The most specific first. */
  readonly levels: readonly LevelMutations[];
  readonly overrides: FilterOverrides;
  readonly mirrors: readonly MirrorPolicy[];
  /** `undefined`: nothing is tried again. */
  readonly retryPolicy: RetryPolicy | undefined;
}

/** What a route hands to its action. */
export interface RouteContext extends LevelContext {
  readonly pathMatch: PathMatch;
}
