import { memoise } from "../base/memo.ts";
import { type ResourceMap, resourceChanges } from "../xds/resource-map.ts";
import type { ResourceKind } from "../xds/snapshot.ts";
import { type NameSet, type NameSets, NO_NAMES } from "./name-sets.ts";
import { parseRefusals } from "./refusals.ts";

/** A client that asks for every resource of a kind. */
export const WILDCARD = "*";

/** Most responses whose answer is waited for, of one kind; the oldest is given up for a newer. */
const UNANSWERED_MAX = 16;

/** Most refused resources that are kept by name; where there are more, any may be. */
const REFUSED_MAX = 200;

/** Nothing was handed out yet. */
const NOTHING: ResourceMap = new Map();

/** A response that went out. */
export interface SentResponse {
  readonly version: string;
  /** "" when nothing was sent, because a client that came back had this version already. */
  readonly nonce: string;
  readonly atMs: number;
  /** Everything of the kind that was on offer then. */
  readonly offered: ResourceMap;
  /** What was in it or taken away by it; absent: all that was asked for. */
  readonly names?: readonly string[];
}

/** A response that the client refused. */
export interface NackedResponse extends SentResponse {
  readonly message: string;
  /** What had been acknowledged when it began to refuse. */
  readonly over: ResourceMap | undefined;
}

/** How what is on offer differs from what a client was given. */
export interface OfferChanges {
  /** The client was given nothing yet: all that it asks for is new. */
  readonly isAll: boolean;
  /** What is new or changed, unless it is all. */
  readonly changed: readonly string[];
  /** What it asks for or has, and is not there. */
  readonly gone: readonly string[];
}

/**
 * What one client asked for of one kind, and what it was given. Knows nothing of streams; both
 * variants of the protocol share it.
 *
 * What it was given is not kept by name: it is what it asks for of what was on offer then, but for
 * the few that it has to be given again. So a client costs the same however much it was given.
 */
export class Subscription {
  readonly kind: ResourceKind;
  /** Names to be given again, or for the first time, although they were on offer. */
  readonly again = new Set<string>();
  /** Absent names that somebody is making; nothing is said of them for the time being. */
  readonly pending = new Set<string>();
  /** What a client that came back has, by name; forgotten once it was answered. */
  held = new Map<string, string>();
  /** The version of all that a client has that came back. */
  heldVersion = "";
  /** The latest response, whether answered or not. */
  sent: SentResponse | undefined;
  acked: SentResponse | undefined;
  /** Kept while something of it is refused. */
  nacked: NackedResponse | undefined;
  /** What the client refused, with its reasons, until it is given something else. */
  readonly refused = new Map<string, string>();
  #isAnyRefused = false;
  #unanswered: SentResponse[] = [];
  #asked: NameSet = NO_NAMES;
  #isWildcard = false;
  #hasNamed = false;
  #base: ResourceMap = NOTHING;

  constructor(kind: ResourceKind) {
    this.kind = kind;
  }

  get isWildcard(): boolean {
    return this.#isWildcard;
  }

  /** What it asks for by name; the same set while it asks for the same. */
  get names(): ReadonlySet<string> {
    return this.#asked.names;
  }

  /** What selects the resources; absent: all of them. */
  get selector(): NameSet | undefined {
    return this.#isWildcard ? undefined : this.#asked;
  }

  /** Whether it asks for nothing, and is owed nothing. */
  get isIdle(): boolean {
    return !this.#isWildcard && this.names.size === 0 && this.again.size === 0;
  }

  /** Whether an answer to a response is due. */
  get isAwaited(): boolean {
    return this.#unanswered.length > 0;
  }

  has(name: string): boolean {
    return this.#isWildcard || this.names.has(name);
  }

  /** Whether the client was given a resource, in that version where one is named. */
  wasGiven(name: string, version?: string): boolean {
    const given = this.#base.get(name);
    if (given === undefined || this.again.has(name) || !this.has(name)) return false;
    return version === undefined || given.version === version;
  }

  /** Whether the client has some form of a resource, from this stream or an earlier one. */
  isKnown(name: string): boolean {
    return this.held.has(name) || this.wasGiven(name);
  }

  /** The names of all that the client was given. */
  given(): readonly string[] {
    return [...this.#base.keys()].filter((name) => this.wasGiven(name));
  }

  /** The same, with what it has from an earlier stream and was not asked about yet. */
  known(): Iterable<string> {
    return this.held.size > 0 ? this.held.keys() : this.given();
  }

  /** Whether the client refused a resource as it was given last. */
  isRefused(name: string): boolean {
    return this.#isAnyRefused || this.refused.has(name);
  }

  /** Takes over all names of a request; the names that it did not ask for before, if any. */
  replaceNames(requested: NameSet, sets: NameSets): readonly string[] {
    const isAll = requested.names.has(WILDCARD);
    const named = isAll ? sets.without(requested, [WILDCARD]) : requested;
    const isLegacyAll = requested.names.size === 0 && !this.#hasNamed && isWholeState(this.kind);
    if (requested.names.size > 0) this.#hasNamed = true;
    const before = this.#asked;
    const wasWildcard = this.#isWildcard;
    this.#asked = named;
    const added = wasWildcard ? [...named.names] : addedNames(before, named);
    this.#setWildcard(isAll || isLegacyAll, before.names);
    this.#owe(added);
    return added;
  }

  /** Takes names in besides those it has; all of them are given, be it once more. */
  addNames(requested: NameSet, sets: NameSets, isFirst: boolean): void {
    const { size } = requested.names;
    const isAll = requested.names.has(WILDCARD);
    const named = isAll ? sets.without(requested, [WILDCARD]) : requested;
    // Envoy asks for virtual hosts like that, too.
    const isOfAll = isWholeState(this.kind) || this.kind === "virtualHost";
    const isLegacyAll = isFirst && size === 0 && isOfAll;
    if (size > 0) this.#hasNamed = true;
    const before = this.names;
    this.#asked = before.size === 0 ? named : sets.with(this.#asked, [...named.names]);
    if (isLegacyAll || isAll) this.#setWildcard(true, before);
    if (!isFirst) this.#owe(named.names);
  }

  /** Gives names up; with all others asked for, the client is told whether they are among those. */
  removeNames(requested: readonly string[], sets: NameSets): void {
    const named = requested.filter((name) => name !== WILDCARD && this.names.has(name));
    this.#asked = sets.without(this.#asked, named);
    if (requested.includes(WILDCARD)) this.#setWildcard(false, this.names);
    for (const name of named) {
      this.pending.delete(name);
      if (this.#isWildcard) this.again.add(name);
      else this.again.delete(name);
    }
  }

  /** Has something given again that the client was given before; false when it was not. */
  forget(name: string): boolean {
    const wasHeld = this.held.delete(name);
    if (!this.wasGiven(name)) return wasHeld;
    this.again.add(name);
    return true;
  }

  /** Notes absent names that somebody is making. */
  awaitNames(names: readonly string[]): void {
    for (const name of names) if (this.has(name)) this.pending.add(name);
  }

  /** Nobody made them: they are said not to exist. False when there were none. */
  endWait(): boolean {
    for (const name of this.pending) if (this.has(name)) this.again.add(name);
    const wasAny = this.pending.size > 0;
    this.pending.clear();
    return wasAny;
  }

  /** How an offer differs from what the client was given; costs what changed. */
  changesTo(map: ResourceMap): OfferChanges {
    if (this.#base === NOTHING) {
      const again = [...this.again].filter((name) => !map.has(name));
      const gone = [...absentOf(this.#asked, map), ...again];
      return { isAll: true, changed: [], gone: this.#told(gone) };
    }
    const { changed, removed } = resourceChanges(this.#base, map);
    const names = new Set(this.#asksFor(changed));
    const gone = this.#asksFor(removed);
    for (const name of this.again) {
      if (map.has(name)) names.add(name);
      else gone.push(name);
    }
    return { isAll: false, changed: [...names].sort(), gone: this.#told(gone) };
  }

  /** The client has, or was sent, all that it asks for of an offer. */
  moveTo(map: ResourceMap): void {
    this.#base = map;
    this.again.clear();
    if (this.held.size > 0) this.held = new Map();
    for (const name of this.pending) if (map.has(name)) this.pending.delete(name);
    for (const name of this.refused.keys()) {
      if (!map.has(name) || !this.has(name)) this.refused.delete(name);
    }
  }

  /** The client came back with all that is on offer: as if it had been sent, and acknowledged. */
  resume(map: ResourceMap, version: string, atMs: number): void {
    this.moveTo(map);
    this.sent = { version, nonce: "", atMs, offered: map };
    this.acked = this.sent;
  }

  /** A response went out. */
  noteSent(response: SentResponse): void {
    this.sent = response;
    this.#unanswered.push(response);
    if (this.#unanswered.length > UNANSWERED_MAX) this.#unanswered.shift();
    for (const name of response.names ?? []) this.refused.delete(name);
  }

  /**
   * Takes an answer. False when it answers nothing that is waited for. Where responses replace each
   * other, the answer to a later one is that to the earlier as well.
   */
  answer(nonce: string, message: string | undefined, atMs: number, isInOrder: boolean): boolean {
    const index = this.#unanswered.findIndex((response) => response.nonce === nonce);
    const response = this.#unanswered[index];
    if (response === undefined) return false;
    this.#unanswered.splice(isInOrder ? 0 : index, isInOrder ? index + 1 : 1);
    for (const name of response.names ?? this.refused.keys()) this.refused.delete(name);
    this.#isAnyRefused = false;
    if (message === undefined) this.acked = { ...response, atMs };
    else this.#refuse(response, message);
    const over = this.nacked?.over ?? this.acked?.offered;
    if (message !== undefined) this.nacked = { ...response, message, atMs, over };
    else if (this.refused.size === 0) this.nacked = undefined;
    return true;
  }

  #refuse({ offered, names }: SentResponse, message: string): void {
    const sent = names ?? [...offered.keys()].filter((name) => this.has(name));
    const named = parseRefusals(message, sent);
    // A refusal that names none may mean any.
    const reasons = named.size > 0 ? named : new Map(sent.map((name) => [name, message]));
    for (const [name, reason] of reasons) {
      if (this.refused.size >= REFUSED_MAX) {
        this.#isAnyRefused = true;
        break;
      }
      this.refused.set(name, reason);
    }
  }

  #setWildcard(isWildcard: boolean, namedBefore: ReadonlySet<string>): void {
    const was = this.#isWildcard;
    this.#isWildcard = isWildcard;
    if (isWildcard && !was) {
      // What it had not named it was not given.
      for (const name of this.#base.keys()) if (!namedBefore.has(name)) this.again.add(name);
    }
    if (!isWildcard) {
      for (const name of this.again) if (!this.names.has(name)) this.again.delete(name);
    }
  }

  #owe(names: Iterable<string>): void {
    // Before the first response all are owed.
    if (this.#base === NOTHING) return;
    for (const name of names) this.again.add(name);
  }

  #told(gone: readonly string[]): readonly string[] {
    if (gone.length === 0) return gone;
    const names = new Set(gone);
    for (const name of this.pending) names.delete(name);
    return [...names].sort();
  }

  /** Those of some names that it asks for; the fewer are walked. */
  #asksFor(names: ReadonlySet<string>): string[] {
    if (this.#isWildcard) return [...names];
    const [few, many] = names.size < this.names.size ? [names, this.names] : [this.names, names];
    return [...few].filter((name) => many.has(name));
  }
}

/**
 * Whether responses of a kind carry the whole state, so that what is missing in one is deleted; and
 * asking for nothing by name means all. Endpoints and routes may come in part (xDS protocol,
 * "Grouping Resources into Responses").
 */
export function isWholeState(kind: ResourceKind): boolean {
  return kind === "cluster" || kind === "listener";
}

/** Found once for all clients that go from one set to another. */
const differences = memoise((before: NameSet, after: NameSet): readonly string[] =>
  [...after.names].filter((name) => !before.names.has(name)),
);

/** Found once for all clients that ask for the same of the same. */
const absentOf = memoise((asked: NameSet, map: ResourceMap): readonly string[] =>
  [...asked.names].filter((name) => !map.has(name)),
);

function addedNames(before: NameSet, after: NameSet): readonly string[] {
  return before === after ? [] : differences(before, after);
}
