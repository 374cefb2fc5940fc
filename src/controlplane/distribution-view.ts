import type { ClientStatus, KindStatus } from "../ads/client-status.ts";
import { keyText, type ObjectKey } from "../config/object.ts";
import { layersOf, type ResourceMap } from "../xds/resource-map.ts";
import { RESOURCE_KINDS, type ResourceKind } from "../xds/snapshot.ts";
import {
  type DifferencesByObject,
  differenceOf,
  differencesOf,
  groupByObject,
  objectDifferences,
  objectsOf,
  type ResourceDifference,
} from "./object-differences.ts";
import { countProxies, NO_PROXIES, type ProxySet, proxyAt } from "./proxy-set.ts";

/** How long a proxy that has just connected may take to ask for all that it needs. */
export const FIRST_ASK_MS_MAX = 5000;

/** One connected proxy. */
export interface DistributionClient {
  /** `pod.namespace` */
  readonly proxy: string;
  readonly client: ClientStatus;
  /** The mesh that its configuration was built from; the present one when nothing of it changed. */
  readonly builtEpoch: number;
}

/** What a view is made of. */
export interface DistributionFacts {
  readonly clients: readonly DistributionClient[];
  /** Of the mesh as it is. */
  readonly epoch: number;
  /** By `keyText`: the mesh that an object's last change is in; absent for what is no object any more. */
  readonly changes: ReadonlyMap<string, number>;
  /** Those that have not been seen to be everywhere since; also what was deleted. */
  readonly unconfirmed: { readonly size: number; has(text: string): boolean };
  /** The mesh that a layer was first built from; absent for what the discovery server put together. */
  readonly epochOf: (layer: ResourceMap) => number | undefined;
  readonly nowMs: number;
}

/** A way that some proxies have still to go, of one kind. */
export interface OpenWay {
  readonly kind: ResourceKind;
  /** What they have yet to take; equal ways have the same value. */
  readonly differences: readonly ResourceDifference[];
  readonly byObject: DifferencesByObject;
  /** What they ask for; absent: everything. */
  readonly names: ReadonlySet<string> | undefined;
  /** Whether they may be about to ask for more. */
  readonly isOpen: boolean;
  /** What of the differences a proxy refused, with its words. */
  readonly refused: ReadonlyMap<string, string>;
  proxies: ProxySet;
}

/** How far one object has come. */
export interface ObjectState {
  /** Those that are to have something of it; for what shapes all configuration, all. */
  readonly proxies: ProxySet;
  /** Those that have not all of it as it is now, or something that it no longer makes. */
  readonly lacking: ProxySet;
  /** Those of them that refused it as it is now. */
  readonly refusing: ProxySet;
  /** Whether every proxy's configuration has been built since it changed. */
  readonly isBuilt: boolean;
}

/** The kinds that resources name as what made them; the others shape what those make. */
const MAKING_KINDS: ReadonlySet<string> = new Set([
  "DestinationRule",
  "Gateway",
  "Ingress",
  "Service",
  "ServiceEntry",
  "VirtualService",
]);

/** How many objects are looked up one by one before all are. */
const ASKED_ALONE_MAX = 16;

const NOTHING: ResourceMap = new Map();
const NONE_REFUSED: ReadonlyMap<string, string> = new Map();

/**
 * How far every object has come at one moment. What it costs grows with the number of proxies that
 * are behind, and with the number of different layers, not with proxies times resources.
 */
export class DistributionView {
  readonly clients: readonly DistributionClient[];
  readonly #facts: DistributionFacts;
  readonly #wanted = new Map<ResourceMap, ProxySet>();
  readonly #fresh = new Map<ResourceMap, ProxySet>();
  readonly #ways: OpenWay[] = [];
  /** The ways of proxies that refuse nothing, to find equal ones. */
  readonly #shared = new Map<readonly ResourceDifference[], OpenWay[]>();
  /** By `keyText`; filled when first asked for. */
  #having: ReadonlyMap<string, ProxySet> | undefined;
  #lacking: ReadonlyMap<string, Lack> | undefined;
  #asked = 0;
  readonly #counts = new Map<ProxySet, number>();
  readonly #dueSince = new Map<number, ProxySet>();
  readonly #shapedSince = new Map<number, Lack>();

  constructor(facts: DistributionFacts) {
    this.#facts = facts;
    this.clients = facts.clients;
    for (const [index, one] of facts.clients.entries()) this.#add(one, proxyAt(index));
  }

  /** By `keyText`: every object that made something for a proxy that is connected. */
  get objects(): Iterable<string> {
    return this.#haves.keys();
  }

  /** Whether some proxy has something still to come. */
  get isAnyBehind(): boolean {
    return this.#fresh.size > 0 || this.#ways.length > 0 || this.#facts.unconfirmed.size > 0;
  }

  /** How many proxies are in a set; there are few different ones. */
  count(proxies: ProxySet): number {
    let count = this.#counts.get(proxies);
    if (count === undefined) {
      count = countProxies(proxies);
      this.#counts.set(proxies, count);
    }
    return count;
  }

  /** The connections of one `pod.namespace`; `undefined` when there is none. */
  proxiesNamed(proxy: string): ProxySet | undefined {
    let found = NO_PROXIES;
    for (const [index, one] of this.clients.entries()) {
      if (one.proxy === proxy) found |= proxyAt(index);
    }
    return found === NO_PROXIES ? undefined : found;
  }

  /** The ways that a proxy, by its place in `clients`, has still to go. */
  waysOf(index: number): readonly OpenWay[] {
    const one = proxyAt(index);
    return this.#ways.filter(({ proxies }) => (proxies & one) !== NO_PROXIES);
  }

  /** The kinds of which a proxy acknowledged nothing yet and an object made something. */
  freshKindsOf(index: number, key: ObjectKey): readonly ResourceKind[] {
    const { resources } = this.clients[index]?.client.target ?? {};
    if (resources === undefined) return [];
    const one = proxyAt(index);
    return RESOURCE_KINDS.filter((kind) =>
      layersOf(resources[kind]).some(
        (layer) =>
          ((this.#fresh.get(layer) ?? NO_PROXIES) & one) !== NO_PROXIES &&
          (!MAKING_KINDS.has(key.kind) || objectsOf(layer).has(keyText(key))),
      ),
    );
  }

  /** The names of a way's resources that hold an object up. */
  namesLacking(way: OpenWay, key: ObjectKey): readonly string[] {
    const text = MAKING_KINDS.has(key.kind) ? keyText(key) : undefined;
    const all = text === undefined ? way.differences : (way.byObject.get(text) ?? []);
    return all.filter((one) => this.#isLacking(way, one, text)).map(({ name }) => name);
  }

  /** How far one object has come; also one that was deleted, of which nothing may be left. */
  of(key: ObjectKey): ObjectState {
    const text = keyText(key);
    const epoch = this.#facts.changes.get(text) ?? 0;
    // Before the mesh that has it is built, nobody can have it.
    const due = epoch > this.#facts.epoch ? this.all : this.#due(epoch);
    const isBuilt = epoch <= this.#facts.epoch && due === NO_PROXIES;
    if (!MAKING_KINDS.has(key.kind)) {
      const { lacking, refusing } = this.#shaped(epoch);
      return {
        proxies: this.all,
        lacking: lacking | due,
        refusing: refusing & ~due,
        isBuilt,
      };
    }
    const { lacking, refusing } = this.#lackOf(text);
    const having = this.#havingOf(text);
    return {
      proxies: having | lacking,
      lacking: lacking | (due & having),
      refusing: refusing & ~due,
      isBuilt,
    };
  }

  /** Of objects that no resource names: whatever differs since they changed may be their doing. */
  #shaped(epoch: number): Lack {
    const known = this.#shapedSince.get(epoch);
    if (known !== undefined) return known;
    let lacking = NO_PROXIES;
    let refusing = NO_PROXIES;
    for (const set of this.#fresh.values()) lacking |= set;
    for (const way of this.#ways) {
      const late = way.differences.filter(
        (one) => this.#isOpen(way, one) && this.#isOlder(one, epoch) !== false,
      );
      if (late.length === 0) continue;
      lacking |= way.proxies;
      if (late.some(({ name }) => way.refused.has(name))) {
        refusing |= way.proxies;
      }
    }
    const lack = { lacking, refusing };
    this.#shapedSince.set(epoch, lack);
    return lack;
  }

  /** Every connected proxy. */
  get all(): ProxySet {
    return proxyAt(this.clients.length) - 1n;
  }

  /** The proxies whose configuration has not been built since a mesh. */
  #due(epoch: number): ProxySet {
    const known = this.#dueSince.get(epoch);
    if (known !== undefined) return known;
    let due = NO_PROXIES;
    for (const [index, { builtEpoch }] of this.clients.entries()) {
      if (builtEpoch < epoch) due |= proxyAt(index);
    }
    this.#dueSince.set(epoch, due);
    return due;
  }

  #add({ client, builtEpoch }: DistributionClient, one: ProxySet): void {
    const { nowMs, epoch } = this.#facts;
    const isFresh = nowMs - client.connectedAtMs < FIRST_ASK_MS_MAX;
    const isOpen = isFresh || !client.isSettled || builtEpoch < epoch;
    for (const kind of RESOURCE_KINDS) {
      const status = client.kinds[kind];
      const isAsked = status.names === undefined || status.names.size > 0;
      // What a proxy never asks for it does not need; one that came just now will.
      if (!isAsked && (!isOpen || kind === "virtualHost")) continue;
      this.#addKind(kind, client, { status, isOpen, one });
    }
  }

  #addKind(
    kind: ResourceKind,
    { target, completed, isSettled }: ClientStatus,
    { status, isOpen, one }: { status: KindStatus; isOpen: boolean; one: ProxySet },
  ): void {
    const after = target.resources[kind];
    const { acked, nacked, offered, names, state } = status;
    for (const layer of layersOf(after)) join(this.#wanted, layer, one);
    const way = { kind, names, isOpen, proxies: one };
    if (nacked !== undefined) {
      this.#ways.push({ ...way, ...refusedWay(status, nacked, after) });
      return;
    }
    if (acked === undefined) {
      for (const layer of layersOf(after)) if (layer.size > 0) join(this.#fresh, layer, one);
      return;
    }
    this.#addWay(way, acked, after);
    // What is on its way to it may be in use already.
    if (state === "STALE" && offered !== undefined) this.#addWay(way, offered, after);
    // Steps of a push that are still to come: what was offered may not have been asked for yet.
    if (!isSettled) this.#addWay(way, completed?.resources[kind] ?? NOTHING, after);
  }

  #addWay(
    way: Pick<OpenWay, "kind" | "names" | "isOpen" | "proxies">,
    before: ResourceMap,
    after: ResourceMap,
  ): void {
    const differences = before === after ? [] : differencesOf(before, after);
    if (differences.length === 0) return;
    const all = this.#shared.get(differences) ?? [];
    this.#shared.set(differences, all);
    const { kind, names, isOpen, proxies } = way;
    const same = all.find(
      (one) => one.names === names && one.isOpen === isOpen && one.kind === kind,
    );
    if (same !== undefined) {
      same.proxies |= proxies;
      return;
    }
    const byObject = objectDifferences(before, after);
    const added = { ...way, differences, byObject, refused: NONE_REFUSED };
    all.push(added);
    this.#ways.push(added);
  }

  /** Whether a difference means that the proxies lack an object as it is now; any object, without one. */
  #isLacking(way: OpenWay, difference: ResourceDifference, text: string | undefined): boolean {
    if (!this.#isOpen(way, difference)) return false;
    const epoch = text === undefined ? undefined : this.#facts.changes.get(text);
    // Of what is no object any more nothing may be left.
    if (text === undefined || epoch === undefined || difference.change === "added") return true;
    // What changed for another object's sake, while this one is as it was, is that one's to say.
    return this.#isOlder(difference, epoch) ?? this.#facts.unconfirmed.has(text);
  }

  #isOpen({ names, isOpen }: OpenWay, { name, change }: ResourceDifference): boolean {
    return names === undefined || names.has(name) || (isOpen && change !== "removed");
  }

  /** Whether what the proxies have of a resource was built before a mesh; `undefined`: nobody knows. */
  #isOlder({ layer }: ResourceDifference, epoch: number): boolean | undefined {
    if (layer === undefined) return true;
    const had = this.#facts.epochOf(layer);
    return had === undefined ? undefined : had < epoch;
  }

  /** Tables of all objects pay when many are asked for, which the first few do not say. */
  #havingOf(text: string): ProxySet {
    this.#asked += 1;
    if (this.#asked > ASKED_ALONE_MAX) return this.#haves.get(text) ?? NO_PROXIES;
    let having = NO_PROXIES;
    for (const [layer, proxies] of this.#wanted) if (objectsOf(layer).has(text)) having |= proxies;
    return having;
  }

  #lackOf(text: string): Lack {
    if (this.#asked > ASKED_ALONE_MAX) return this.#lacks.get(text) ?? NO_LACK;
    let { lacking, refusing } = NO_LACK;
    for (const [layer, proxies] of this.#fresh) if (objectsOf(layer).has(text)) lacking |= proxies;
    for (const way of this.#ways) {
      const late = way.byObject.get(text)?.filter((one) => this.#isLacking(way, one, text)) ?? [];
      if (late.length === 0) continue;
      lacking |= way.proxies;
      if (late.some(({ name }) => way.refused.has(name))) refusing |= way.proxies;
    }
    return { lacking, refusing };
  }

  get #haves(): ReadonlyMap<string, ProxySet> {
    this.#having ??= this.#findHaves();
    return this.#having;
  }

  #findHaves(): ReadonlyMap<string, ProxySet> {
    const found = new Map<string, ProxySet>();
    for (const [layer, proxies] of this.#wanted) {
      for (const text of objectsOf(layer)) join(found, text, proxies);
    }
    return found;
  }

  get #lacks(): ReadonlyMap<string, Lack> {
    this.#lacking ??= this.#findLacks();
    return this.#lacking;
  }

  #findLacks(): ReadonlyMap<string, Lack> {
    const found = new Map<string, Lack>();
    const note = (text: string, lacking: ProxySet, refusing: ProxySet): void => {
      const before = found.get(text);
      found.set(text, {
        lacking: (before?.lacking ?? NO_PROXIES) | lacking,
        refusing: (before?.refusing ?? NO_PROXIES) | refusing,
      });
    };
    for (const [layer, proxies] of this.#fresh) {
      for (const text of objectsOf(layer)) note(text, proxies, NO_PROXIES);
    }
    for (const way of this.#ways) {
      for (const [text, differences] of way.byObject) {
        const late = differences.filter((one) => this.#isLacking(way, one, text));
        if (late.length === 0) continue;
        const isRefused = late.some(({ name }) => way.refused.has(name));
        note(text, way.proxies, isRefused ? way.proxies : NO_PROXIES);
      }
    }
    return found;
  }
}

/**
 * What a proxy that refuses something lacks: what it refused, and what was not in a refused
 * response. The others of such a response it took: proxies refuse resources, not responses.
 */
function refusedWay(
  { acked, nackedOver, refused }: KindStatus,
  nacked: ResourceMap,
  after: ResourceMap,
): Pick<OpenWay, "differences" | "byObject" | "refused"> {
  const isCurrent = (name: string): boolean =>
    after.get(name)?.version === nacked.get(name)?.version;
  const meant = new Map([...refused].filter(([name]) => after.has(name) && isCurrent(name)));
  const [had, has] = [nackedOver ?? NOTHING, acked ?? NOTHING];
  const lacked = [...meant.keys()].map((name) => differenceOf(name, had));
  const others = differencesOf(has, after).filter(
    ({ name }) => !isCurrent(name) && !meant.has(name),
  );
  const byObject = new Map(groupByObject(lacked, had, after));
  for (const [text, list] of groupByObject(others, has, after)) {
    byObject.set(text, [...(byObject.get(text) ?? []), ...list]);
  }
  return { differences: [...lacked, ...others], byObject, refused: meant };
}

interface Lack {
  readonly lacking: ProxySet;
  readonly refusing: ProxySet;
}

const NO_LACK: Lack = { lacking: NO_PROXIES, refusing: NO_PROXIES };

function join<K>(sets: Map<K, ProxySet>, key: K, proxies: ProxySet): void {
  sets.set(key, (sets.get(key) ?? NO_PROXIES) | proxies);
}
