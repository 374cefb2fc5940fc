import { createHash } from "node:crypto";
import type { ResourceMap } from "../xds/resource-map.ts";
import type { ResourceKind, XdsResource } from "../xds/snapshot.ts";
import type { Published } from "./publish-plan.ts";

/** A client that asks for every resource of a kind. */
const WILDCARD = "*";

/** Characters of a version: enough that two states never share one. */
const VERSION_LENGTH = 20;

/** A response that went out. */
export interface SentResponse {
  readonly version: string;
  /** "" when nothing was sent, because a client that came back had this version already. */
  readonly nonce: string;
  readonly atMs: number;
  /** Everything of the kind that was on offer then. */
  readonly offered: ResourceMap;
}

/** A response that the client refused. */
export interface NackedResponse extends SentResponse {
  readonly message: string;
}

/** Every wildcard version once per map: the proxies that share a map share the work. */
const versions = new WeakMap<ResourceMap, string>();

/**
 * What one client asked for of one kind, and what it was given. Knows nothing of streams or of the
 * variant of the protocol, so that state of the world and delta can share it.
 */
export class Subscription {
  readonly kind: ResourceKind;
  /** Name to the version last sent; a name that has to be sent again is taken out. */
  readonly delivered = new Map<string, string>();
  /** The latest response, whether answered or not. */
  sent: SentResponse | undefined;
  acked: SentResponse | undefined;
  /** Kept until a later response is acknowledged. */
  nacked: NackedResponse | undefined;
  #names: ReadonlySet<string> = new Set();
  #isWildcard = false;
  #hasNamed = false;

  constructor(kind: ResourceKind) {
    this.kind = kind;
  }

  get isWildcard(): boolean {
    return this.#isWildcard;
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** Whether an answer to the latest response is due. */
  get isAwaited(): boolean {
    const { sent } = this;
    if (sent === undefined || sent.nonce === "") return false;
    return this.acked?.nonce !== sent.nonce && this.nacked?.nonce !== sent.nonce;
  }

  has(name: string): boolean {
    return this.#isWildcard || this.#names.has(name);
  }

  /**
   * Takes over the names of a request; true when it asks for more than before.
   *
   * Listeners and clusters without names mean all of them, unless the client has named some on
   * this stream before: then an empty list ends the subscription (xDS protocol, "How the client
   * specifies what resources to return").
   */
  setNames(requested: readonly string[]): boolean {
    const isAll = requested.includes(WILDCARD);
    const isLegacyAll = requested.length === 0 && hasWildcard(this.kind) && !this.#hasNamed;
    const before = { isWildcard: this.#isWildcard, names: this.#names };
    this.#isWildcard = isAll || isLegacyAll;
    this.#names = new Set(requested.filter((name) => name !== WILDCARD));
    if (requested.length > 0) this.#hasNamed = true;
    // What is asked for again later counts as not had.
    for (const name of this.delivered.keys()) {
      if (!this.has(name)) this.delivered.delete(name);
    }
    if (this.#isWildcard) return !before.isWildcard;
    return [...this.#names].some((name) => before.isWildcard || !before.names.has(name));
  }

  /** What of the published resources this client is to have, in their order. */
  select(published: Published): readonly XdsResource[] {
    const all = published[this.kind];
    if (this.#isWildcard) return [...all.values()];
    // A gateway may name thousands; most clients name few of many.
    const selected: XdsResource[] = [];
    for (const name of this.#names) {
      const resource = all.get(name);
      if (resource !== undefined) selected.push(resource);
    }
    return selected.sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /**
   * The version of all that `select` returns: equal states have equal versions, also after a
   * restart of the server, so that a client that comes back with it needs nothing.
   *
   * The version of endpoints includes that of their cluster: an Envoy whose cluster changed keeps
   * it warming until endpoints come again, even when they are the same.
   */
  versionOf(published: Published, selected: readonly XdsResource[]): string {
    const map = published[this.kind];
    const parents = this.kind === "endpoint" ? published.cluster : undefined;
    if (!this.#isWildcard || parents !== undefined) return hashVersions(selected, parents);
    let version = versions.get(map);
    if (version === undefined) {
      // Not by the order that a map happens to have: that would be no change to a client.
      const sorted = selected.toSorted((left, right) => (left.name < right.name ? -1 : 1));
      version = hashVersions(sorted, undefined);
      versions.set(map, version);
    }
    return version;
  }

  /** The client has all of these; what it was given before and is not among them is gone. */
  setDelivered(resources: readonly XdsResource[]): void {
    this.delivered.clear();
    this.addDelivered(resources);
  }

  addDelivered(resources: readonly XdsResource[]): void {
    for (const { name, version } of resources) this.delivered.set(name, version);
  }
}

/**
 * Whether responses of a kind carry the whole state, so that what is missing in one is deleted.
 * Endpoints and routes may come in part (xDS protocol, "Grouping Resources into Responses").
 */
export function isWholeState(kind: ResourceKind): boolean {
  return hasWildcard(kind);
}

function hasWildcard(kind: ResourceKind): boolean {
  return kind === "cluster" || kind === "listener";
}

function hashVersions(selected: readonly XdsResource[], parents: ResourceMap | undefined): string {
  const hash = createHash("sha256");
  for (const { name, version } of selected) {
    hash.update(`${name}\0${version}\0${parents?.get(name)?.version ?? ""}\n`);
  }
  return hash.digest("hex").slice(0, VERSION_LENGTH);
}
