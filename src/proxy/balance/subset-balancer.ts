import type { JsonValue } from "@bufbuild/protobuf";
import { canonicalText, mergeCriteria, type SubsetCriteria } from "../../match/subset-criteria.ts";
import type {
  Metadata,
  SubsetConfig,
  SubsetFallback,
  SubsetSelector,
} from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import type { ClusterLoad } from "../cluster/load.ts";
import type { PickContext } from "./pick-context.ts";
import { later, type Picker } from "./picker.ts";

/** The namespace of metadata in which hosts say what they are. */
const NAMESPACE = "envoy.lb";
/** A criterion that holds others to try one after the other. */
const FALLBACK_LIST = "fallback_list";

const NONE: SubsetCriteria = [];
const nobody: Picker = () => undefined;

/** The hosts of one subset, and who chooses among them. */
interface Subset {
  readonly name: string;
  readonly isSingleHost: boolean;
  hosts: Host[];
  pick: Picker;
  /** The division that it was last part of. */
  division: number;
}

/** The subsets that a host belongs to, as long as it says the same of itself. */
export interface Memberships {
  readonly metadata: Metadata;
  readonly subsets: readonly Subset[];
}

/**
 * Divides a cluster's hosts by their metadata and chooses within the part that a route asks for,
 * as Envoy's subset load balancer does. What the criteria of a route come down to is worked out
 * when they are first seen, and kept until the hosts change.
 */
export class SubsetBalancer {
  readonly #config: SubsetConfig;
  readonly #load: ClusterLoad;
  readonly #subsets = new Map<string, Subset>();
  #division = 0;
  #any = nobody;
  #default = nobody;
  #compiled = new WeakMap<SubsetCriteria, Picker>();

  constructor(config: SubsetConfig, load: ClusterLoad) {
    this.#config = config;
    this.#load = load;
  }

  /** Takes new hosts; `balance` makes what chooses among some of them. */
  update(hosts: readonly Host[], balance: (hosts: readonly Host[]) => Picker): void {
    this.#divide(hosts);
    for (const subset of this.#subsets.values()) {
      const [only] = subset.hosts;
      // A subset of one host by configuration does not look at its health.
      subset.pick = subset.isSingleHost ? () => only : later(() => balance(subset.hosts));
    }
    this.#any = later(() => balance(hosts));
    this.#default = later(() => balance(hosts.filter((host) => this.#isDefault(host))));
    this.#compiled = new WeakMap();
  }

  readonly pick = (context: PickContext | undefined): Host | undefined => {
    const criteria = context?.subsetCriteria ?? NONE;
    const known = this.#compiled.get(criteria);
    if (known !== undefined) return known(context);
    const picker = this.#compile(criteria);
    this.#compiled.set(criteria, picker);
    return picker(context);
  };

  #divide(hosts: readonly Host[]): void {
    const load = this.#load;
    const division = ++this.#division;
    let duplicates = 0;
    for (const host of hosts) {
      for (const subset of this.#subsetsOf(host)) {
        if (subset.division !== division) {
          subset.division = division;
          subset.hosts = [host];
        } else if (subset.isSingleHost) duplicates++;
        // A list may say the same twice.
        else if (subset.hosts.at(-1) !== host) subset.hosts.push(host);
      }
    }
    load.subsetsDuplicates = duplicates;
    for (const [name, subset] of this.#subsets) {
      if (subset.division === division) continue;
      this.#subsets.delete(name);
      load.subsetsRemoved++;
    }
    load.subsetsActive = this.#subsets.size;
  }

  /**
   * Worked out when a host says something new of itself. One that is there is in all its subsets in
   * every division, so that none of them is forgotten meanwhile.
   */
  #subsetsOf(host: Host): readonly Subset[] {
    const { metadata } = host.state;
    if (host.memberships?.metadata === metadata) return host.memberships.subsets;
    const { selectors, listAsAny } = this.#config;
    const subsets = selectors.flatMap(({ keys, isSingleHost }) =>
      combinations(metadata, keys, listAsAny).map((criteria) =>
        this.#subset(nameOf(criteria), isSingleHost),
      ),
    );
    host.memberships = { metadata, subsets };
    return subsets;
  }

  #subset(name: string, isSingleHost: boolean): Subset {
    const known = this.#subsets.get(name);
    if (known !== undefined) return known;
    const subset = { name, isSingleHost, hosts: [], pick: nobody, division: 0 };
    this.#subsets.set(name, subset);
    this.#load.subsetsCreated++;
    return subset;
  }

  #isDefault(host: Host): boolean {
    return this.#config.defaultSubset.every(([key, value]) => {
      const own = host.state.metadata[NAMESPACE]?.[key];
      return own !== undefined && valuesOf(own, this.#config.listAsAny).includes(value);
    });
  }

  /** What a route's criteria come down to. */
  #compile(criteria: SubsetCriteria): Picker {
    const list = this.#config.usesFallbackList
      ? criteria.find(({ key }) => key === FALLBACK_LIST)
      : undefined;
    if (list === undefined) return this.#compileOne(criteria);
    const rest = criteria.filter((one) => one !== list);
    const pickers = alternatives(list.value).map((more) =>
      this.#compileOne(mergeCriteria(rest, more)),
    );
    if (pickers.length === 0) return this.#compileOne(rest);
    return (context) => {
      for (const pick of pickers) {
        const host = pick(context);
        if (host !== undefined) return host;
      }
      return undefined;
    };
  }

  #compileOne(given: SubsetCriteria): Picker {
    const criteria = this.#config.allowsRedundantKeys ? this.#withoutRedundant(given) : given;
    const subset = criteria.length === 0 ? undefined : this.#subsets.get(nameOf(criteria));
    if (subset !== undefined) {
      return (context) => {
        this.#load.subsetsSelected++;
        return subset.pick(context);
      };
    }
    const keys = criteria.map(({ key }) => key);
    const selector = this.#config.selectors.find((one) => hasKeys(one, keys));
    switch (selector?.fallback) {
      case undefined:
        return this.#fallBack(this.#config.fallback);
      case "keys": {
        const { fallbackKeys } = selector;
        return this.#compileOne(criteria.filter(({ key }) => fallbackKeys.includes(key)));
      }
      case "any":
        return this.#any;
      case "default":
        return this.#default;
      case "none":
        return nobody;
    }
  }

  /** Only the keys of the first selector all of whose keys are there. */
  #withoutRedundant(criteria: SubsetCriteria): SubsetCriteria {
    for (const { keys } of this.#config.selectors) {
      const kept = criteria.filter(({ key }) => keys.includes(key));
      if (kept.length === keys.length) return kept;
    }
    return criteria;
  }

  #fallBack(fallback: SubsetFallback): Picker {
    if (fallback === "none") return nobody;
    const first = fallback === "any" ? this.#any : this.#default;
    const last = this.#config.panicModeAny ? this.#any : nobody;
    return (context) => {
      const host = first(context);
      if (host !== undefined) {
        this.#load.subsetsFallback++;
        return host;
      }
      const other = last(context);
      if (other !== undefined) this.#load.subsetsFallbackPanic++;
      return other;
    };
  }
}

function hasKeys(selector: SubsetSelector, sorted: readonly string[]): boolean {
  const { keys } = selector;
  return keys.length === sorted.length && keys.every((key, at) => key === sorted[at]);
}

/** Equal criteria have equal names: keys and values are JSON strings and values themselves. */
function nameOf(criteria: SubsetCriteria): string {
  return criteria.map(({ key, value }) => `${JSON.stringify(key)}:${value}`).join();
}

/** Every combination of what the host says for the keys; none when it lacks one. */
function combinations(
  all: Metadata,
  keys: readonly string[],
  listAsAny: boolean,
): readonly SubsetCriteria[] {
  const metadata = all[NAMESPACE];
  if (metadata === undefined) return [];
  let found: readonly SubsetCriteria[] = [[]];
  for (const key of keys) {
    const value = metadata[key];
    if (value === undefined) return [];
    const values = valuesOf(value, listAsAny);
    found = found.flatMap((one) => values.map((text) => [...one, { key, value: text }]));
  }
  return found;
}

/** A value in canonical text; each entry of a list where lists mean that. */
function valuesOf(value: JsonValue, listAsAny: boolean): readonly string[] {
  if (listAsAny && Array.isArray(value)) return value.map((item: JsonValue) => canonicalText(item));
  return [canonicalText(value)];
}

/** The entries of a fallback list, which is JSON. What is no list of mappings has none. */
function alternatives(text: string): readonly SubsetCriteria[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) return [];
  return list.map((entry: JsonValue) => {
    const pairs = typeof entry === "object" && entry !== null ? Object.entries(entry) : [];
    return pairs
      .map(([key, value]) => ({ key, value: canonicalText(value as JsonValue) }))
      .sort((left, right) => (left.key < right.key ? -1 : 1));
  });
}
