import type { SubsetCriteria } from "../../match/subset-criteria.ts";
import type { Host } from "../cluster/host.ts";
import type { Hash64 } from "./hash64.ts";
import type { PriorityLoad, PriorityState } from "./priority-load.ts";

/**
 * What the choice of a host may depend on. The request that wants one is the context itself, so
 * asking allocates nothing; what nobody asks for is never worked out.
 */
export interface PickContext {
  /** What the route asks of a host's metadata, for subsets; empty for nothing. */
  readonly subsetCriteria: SubsetCriteria;
  /** `address:port` that the client wanted to reach before it was sent here, for ORIGINAL_DST. */
  readonly originalDestination: string | undefined;
  /** What the client calls its destination: the host of a request, the name in a ClientHello. */
  readonly requestedName?: string;
  /** The port that goes with a name that has none; absent where the cluster says it. */
  readonly requestedPort?: number | undefined;
  /** The host that somebody wants above all; absent where nobody does. */
  readonly overrideHost?: { readonly key: string; readonly isStrict: boolean } | undefined;
  /** The first value of a request header; `undefined` also where there are no headers. */
  requestHeader(name: string): string | undefined;
  /** How often another host is drawn in place of one that `rejectsHost`; 0 for never. */
  readonly hostDrawsMax: number;
  rejectsHost(host: Host): boolean;
  /**
   * What the hash policies of the route make of the request, for balancers that hash; `undefined`
   * when they have nothing to go by: then the choice is random.
   */
  hash?(): Hash64 | undefined;
  /**
   * How the load is spread over priorities for this choice, when that is not how the balancer does
   * it, which is in `state`. `priorityOf` says which of these priorities a host belongs to.
   */
  priorityLoad?(state: PriorityState, priorityOf: (host: Host) => number | undefined): PriorityLoad;
}
