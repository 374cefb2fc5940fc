import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import type { Clock, Timer } from "../base/clock.ts";
import { formatIssue } from "../base/issue.ts";
import type { RouteConfig } from "../match/route-config.ts";
import type { Rejection, ResourceUpdate, WireResource } from "../xdsclient/resource-type.ts";
import type { CounterGroups } from "./counters.ts";
import type { DecodedTable } from "./decode/route-table-decoder.ts";
import type { RouteSource } from "./http/http-config.ts";
import type { CountingSettings } from "./http/http-filter.ts";
import { ON_DEMAND_ZERO, OnDemandHosts } from "./on-demand-hosts.ts";

/** What tables need from outside. */
export interface RouteSetDeps {
  readonly counters: CounterGroups;
  readonly clock: Clock;
  /** The virtual hosts to ask for are others now. */
  readonly onHostNames: () => void;
  /** A table that listeners may wait for serves now. */
  readonly onReady: () => void;
}

type Counters = typeof ON_DEMAND_ZERO;

/** A route table by name; listeners hold the place, updates change what stands in it. */
class Place implements RouteSource {
  current: RouteConfig | undefined = undefined;
  /** The table as it came, without virtual hosts that come by themselves. */
  own: RouteConfig | undefined = undefined;
  body: Uint8Array | undefined = undefined;
  onDemand: OnDemandHosts | undefined = undefined;
  /** Of the connection managers that have it. */
  readonly counters = new Map<string, Counters | undefined>();
  /** Until it fires, or a virtual host comes, the table does not serve. */
  firstHost: Timer | undefined = undefined;
}

/** The numbers of what a table says to filters are there from now on. */
export function showCounters({ filterSettings }: RouteConfig, counters: CounterGroups): void {
  for (const settings of filterSettings) {
    if ("showCounters" in settings) (settings as CountingSettings).showCounters(counters);
  }
}

/** The route tables that came by RDS, with the virtual hosts that come by themselves. */
export class RouteSet {
  readonly #deps: RouteSetDeps;
  readonly #places = new Map<string, Place>();
  #hostNames: ReadonlySet<string> | undefined = undefined;

  constructor(deps: RouteSetDeps) {
    this.#deps = deps;
  }

  /** The place of a table, whether it has come or not, for who counts under `statPrefix`. */
  source(name: string, statPrefix: string): RouteSource {
    const place = this.#places.get(name) ?? new Place();
    this.#places.set(name, place);
    if (!place.counters.has(statPrefix)) {
      place.counters.set(statPrefix, undefined);
      if (place.onDemand !== undefined) this.#showHostCounters(name, place);
    }
    return place;
  }

  /** A table that came, encoded. */
  bodyOf(name: string): Uint8Array | undefined {
    return this.#places.get(name)?.body;
  }

  /** The same, decoded. */
  tableOf(name: string): RouteConfig | undefined {
    return this.#places.get(name)?.own;
  }

  /**
   * Requests that begin from now on use it. Says why it cannot be used, if so; a table that nobody
   * asks for is dropped.
   */
  put({ config, body, firstHostMs }: DecodedTable): string | undefined {
    const place = this.#places.get(config.name);
    if (place === undefined) return undefined;
    const { onDemand: table } = config;
    if (table === undefined) {
      this.#closeHosts(place);
      this.#use(place, config);
    } else if (place.onDemand === undefined) {
      place.onDemand = this.#createHosts(config.name, place, table);
      this.#showHostCounters(config.name, place);
      this.#namesChanged();
      if (place.current === undefined) this.#awaitHost(place, config, firstHostMs);
      else this.#use(place, config);
    } else {
      const prepared = place.onDemand.prepareTable(table);
      if (!prepared.ok) return prepared.issues.map(formatIssue).join(", ");
      prepared.value();
    }
    place.own = config;
    place.body = body;
    return undefined;
  }

  #use(place: Place, config: RouteConfig): void {
    place.firstHost?.cancel();
    showCounters(config, this.#deps.counters);
    place.current = config;
  }

  /** As in Envoy a new table serves when its first virtual host is there, or nobody sends one. */
  #awaitHost(place: Place, config: RouteConfig, firstHostMs: number): void {
    if (firstHostMs === 0) return;
    place.firstHost = this.#deps.clock.setTimer(firstHostMs, () => {
      this.#count(place, "init_fetch_timeout", 1);
      this.#use(place, config);
      this.#deps.onReady();
    });
  }

  #createHosts(
    name: string,
    place: Place,
    table: NonNullable<RouteConfig["onDemand"]>,
  ): OnDemandHosts {
    return new OnDemandHosts(name, table, {
      clock: this.#deps.clock,
      onNames: () => this.#namesChanged(),
      onChange: (config) => this.#use(place, config),
      count: (counter, by) => this.#count(place, counter, by),
    });
  }

  #showHostCounters(name: string, place: Place): void {
    for (const [statPrefix, counters] of place.counters) {
      if (counters !== undefined) continue;
      const prefix = `${statPrefix}.rds.vhds.${name}`;
      place.counters.set(statPrefix, this.#deps.counters.get(prefix, ON_DEMAND_ZERO));
    }
  }

  #count({ counters }: Place, name: keyof Counters, by: number): void {
    for (const group of counters.values()) if (group !== undefined) group[name] += by;
  }

  #namesChanged(): void {
    this.#hostNames = undefined;
    this.#deps.onHostNames();
  }

  /** The names to ask for as virtual hosts; another set whenever they are others. */
  hostNames(): ReadonlySet<string> {
    if (this.#hostNames !== undefined) return this.#hostNames;
    const names = new Set<string>();
    for (const { onDemand } of this.#places.values()) {
      if (onDemand === undefined) continue;
      // What the control plane sends unasked is taken too.
      names.add("*");
      for (const name of onDemand.askedNames) names.add(name);
    }
    this.#hostNames = names;
    return names;
  }

  /** Whether a virtual host of that name belongs to one of the tables. */
  takesHost(name: string): boolean {
    return this.#places.get(tableOf(name))?.onDemand !== undefined;
  }

  /** Takes virtual hosts, each under the settings of its table. */
  applyHosts({ resources, removed }: ResourceUpdate): readonly Rejection[] {
    const byTable = new Map<string, { resources: WireResource[]; removed: string[] }>();
    const of = (name: string): { resources: WireResource[]; removed: string[] } => {
      const table = tableOf(name);
      const update = byTable.get(table) ?? { resources: [], removed: [] };
      byTable.set(table, update);
      return update;
    };
    for (const resource of resources) of(resource.name).resources.push(resource);
    for (const name of removed) of(name).removed.push(name);
    return [...byTable].flatMap(([name, update]) => {
      const onDemand = this.#places.get(name)?.onDemand;
      return onDemand?.update(update.resources, update.removed) ?? [];
    });
  }

  /** The tables that came, encoded, each with the virtual hosts that came by themselves. */
  get bodies(): readonly Uint8Array[] {
    return [...this.#places.values()].flatMap(({ body, onDemand }) => {
      if (body === undefined) return [];
      const hosts = onDemand?.bodies ?? [];
      return hosts.length === 0 ? [body] : [Buffer.concat([body, ...hosts.map(asVirtualHost)])];
    });
  }

  /** Forgets tables that no listener asks for any more. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const [name, place] of this.#places) {
      if (names.has(name)) continue;
      this.#places.delete(name);
      this.#closeHosts(place);
    }
  }

  #closeHosts(place: Place): void {
    place.firstHost?.cancel();
    if (place.onDemand === undefined) return;
    const { onDemand } = place;
    place.onDemand = undefined;
    onDemand.close();
    this.#namesChanged();
  }

  /** Lets go of all of them. */
  close(): void {
    this.keepOnly(new Set());
  }
}

/** The table that a virtual host belongs to: a host's own name has no slash. */
function tableOf(name: string): string {
  return name.substring(0, Math.max(0, name.lastIndexOf("/")));
}

/** One more entry of a table that is encoded: fields of a message may stand anywhere in it. */
function asVirtualHost(body: Uint8Array): Uint8Array {
  const { number } = RouteConfigurationSchema.field.virtualHosts;
  return new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(body).finish();
}
