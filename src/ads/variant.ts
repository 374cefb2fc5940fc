import type { Node } from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { Result } from "../base/issue.ts";
import type { ResourceKind, XdsResource } from "../xds/snapshot.ts";
import type { NameSets } from "./name-sets.ts";
import type { Offered } from "./selection.ts";
import type { Subscription } from "./subscription.ts";

/** State of the world, where a request names all that is wanted, or incremental. */
export type VariantName = "sotw" | "delta";

/** One request of a client, of whichever variant. */
export interface ClientRequest {
  readonly typeUrl: string;
  /** "" when it answers nothing. */
  readonly nonce: string;
  /** Why the response with that nonce was refused; absent when it was not. */
  readonly error?: string;
  /** Whether it names resources in a way that is not served (`resource_locators`). */
  readonly hasLocators: boolean;
  /** Whether the client has something from an earlier stream. */
  readonly isReturning: boolean;
  /** Who asks; a client need only say so once per stream. */
  readonly node: () => Result<Node | undefined>;
  /** Takes what it asks for into a subscription. */
  readonly ask: (subscription: Subscription, isFirst: boolean) => Asked;
}

/** What a request asked for. */
export interface Asked {
  /** Whether it is to be answered even when there is nothing new. */
  readonly isDue: boolean;
  /** Names that were not asked for before, or are asked for once more. */
  readonly added: readonly string[];
}

/** What a response is to say. */
export interface ResponseDraft {
  readonly version: string;
  /** Encoded resources, to stand one after the other. */
  readonly body: readonly Uint8Array[];
  readonly removed: readonly string[];
  /** See `SentResponse.names`. */
  readonly names?: readonly string[];
  /** Those that are new or changed to the client. */
  readonly changed: Iterable<XdsResource>;
}

/** What a response depends on besides. */
export interface RespondOptions {
  /** An answer is due even when there is nothing new. */
  readonly isForced: boolean;
  readonly atMs: number;
  /** What the client has from an earlier stream and is not there stays for now. */
  readonly keepsLost: boolean;
}

/** How requests are read and responses are written; the rest of a stream is the same for both. */
export interface Variant {
  readonly name: VariantName;
  /** Whether a response replaces the earlier ones, so that its answer is theirs as well. */
  readonly isInOrder: boolean;
  /** Reads a request; `sets` keeps equal lists of names as one. */
  readonly decode: (bytes: Uint8Array, sets: NameSets) => Result<ClientRequest>;
  /** Why a kind is not served in this variant. */
  readonly refusal: (kind: ResourceKind) => string | undefined;
  /** What to tell a client of an offer; nothing when it has it all. */
  readonly respond: (
    subscription: Subscription,
    offered: Offered,
    about: RespondOptions,
  ) => ResponseDraft | undefined;
}
