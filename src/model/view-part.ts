import type { Cluster } from "./cluster.ts";
import type { Listener } from "./listener.ts";
import type { ObjectIssue } from "./origin.ts";
import type { RouteConfiguration } from "./route.ts";

/** What one concern (what goes out, what comes in, a gateway) adds to a proxy's view. */
export interface ViewPart {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
  /** Beside those of the services that the proxy sees. */
  readonly clusters: readonly Cluster[];
  readonly issues: readonly ObjectIssue[];
}

/** Nothing at all. */
export const NO_PART: ViewPart = { listeners: [], routes: [], clusters: [], issues: [] };
