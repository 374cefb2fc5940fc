import type { ResourceMap } from "../xds/resource-map.ts";
import { RESOURCE_KINDS, type ResourceKind, type XdsSnapshot } from "../xds/snapshot.ts";
import type { ClientNode } from "./snapshot-source.ts";
import type { AdsStream } from "./stream.ts";
import type { Subscription } from "./subscription.ts";
import type { VariantName } from "./variant.ts";

/**
 * Whether a client has what it is to have: `STALE` while an answer is due, `NOT SENT` when nothing
 * went out (mostly because it did not ask), `NACKED` when it refused the latest.
 */
export type SyncState = "SYNCED" | "STALE" | "NOT SENT" | "NACKED";

/** One kind of resource at one client; absent fields have not happened. */
export interface KindStatus {
  readonly state: SyncState;
  readonly sentVersion?: string;
  readonly sentNonce?: string;
  readonly sentAtMs?: number;
  readonly ackedVersion?: string;
  readonly ackedNonce?: string;
  readonly ackedAtMs?: number;
  readonly nackedVersion?: string;
  readonly nackedAtMs?: number;
  /** Why the client refused, in its own words. */
  readonly nackedMessage?: string;
  /** Names of the resources that it was sent. */
  readonly resources: readonly string[];
  /** The names that it asks for, the same set while it asks for the same; absent: for all. */
  readonly names: ReadonlySet<string> | undefined;
  /** What was on offer in the latest response, answered or not. */
  readonly offered: ResourceMap | undefined;
  /** What was on offer when it last acknowledged; of that it has what it asked for. */
  readonly acked: ResourceMap | undefined;
  /** What was on offer in the response that it refused, while something of that is refused. */
  readonly nacked: ResourceMap | undefined;
  /** What it had acknowledged when it began to refuse; of what it refused it has that. */
  readonly nackedOver: ResourceMap | undefined;
  /** The resources that it refused, by name, with its words about each; at most a few hundred. */
  readonly refused: ReadonlyMap<string, string>;
}

/** One connected client. */
export interface ClientStatus {
  readonly clientId: string;
  readonly node: ClientNode;
  readonly variant: VariantName;
  /** `address:port` that it connected from. */
  readonly peer: string;
  readonly connectedAtMs: number;
  /** What was written to it on this stream. */
  readonly sent: { readonly bytes: number; readonly responses: number };
  /** What it is to have in the end; pushes may still be on their way there. */
  readonly target: XdsSnapshot;
  /** The last target that was handed out to its end, as far as the client would take it. */
  readonly completed: XdsSnapshot | undefined;
  /** Whether no push is under way. */
  readonly isSettled: boolean;
  /** See `AdsStream.heldRoutes`. */
  readonly heldRoutes: readonly string[];
  readonly kinds: Readonly<Record<ResourceKind, KindStatus>>;
}

/** The status of a client's kinds at this moment. */
export function statusOf(stream: AdsStream): ClientStatus["kinds"] {
  const entries = RESOURCE_KINDS.map((kind) => {
    const subscription = stream.subscriptions.get(kind);
    return [kind, subscription === undefined ? NEVER_ASKED : kindStatus(subscription)] as const;
  });
  return Object.fromEntries(entries) as ClientStatus["kinds"];
}

const NEVER_ASKED: KindStatus = {
  state: "NOT SENT",
  resources: [],
  names: new Set(),
  offered: undefined,
  acked: undefined,
  nacked: undefined,
  nackedOver: undefined,
  refused: new Map(),
};

function kindStatus(subscription: Subscription): KindStatus {
  const { sent, acked, nacked } = subscription;
  return {
    state: stateOf(subscription),
    ...(sent && { sentVersion: sent.version, sentNonce: sent.nonce, sentAtMs: sent.atMs }),
    ...(acked && { ackedVersion: acked.version, ackedNonce: acked.nonce, ackedAtMs: acked.atMs }),
    ...(nacked && {
      nackedVersion: nacked.version,
      nackedAtMs: nacked.atMs,
      nackedMessage: nacked.message,
    }),
    // Walked by those who look, not for every status.
    get resources() {
      return subscription.given();
    },
    names: subscription.isWildcard ? undefined : subscription.names,
    offered: sent?.offered,
    acked: acked?.offered,
    nacked: stateOf(subscription) === "NACKED" ? nacked?.offered : undefined,
    nackedOver: nacked?.over,
    refused: subscription.refused,
  };
}

function stateOf(subscription: Subscription): SyncState {
  const { sent, nacked, refused } = subscription;
  if (sent === undefined) return "NOT SENT";
  if (nacked !== undefined && nacked.nonce === sent.nonce) return "NACKED";
  if (subscription.isAwaited) return "STALE";
  return refused.size > 0 ? "NACKED" : "SYNCED";
}
