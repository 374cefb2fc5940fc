import type { RouteConfig } from "../match/route-config.ts";
import type { CounterGroups } from "./counters.ts";
import type { RouteSource } from "./http/http-config.ts";
import type { CountingSettings } from "./http/http-filter.ts";

/** A route table by name; listeners hold the place, updates change what stands in it. */
class Place implements RouteSource {
  current: RouteConfig | undefined = undefined;
  body: Uint8Array = new Uint8Array();
}

/** The numbers of what a table says to filters are there from now on. */
export function showCounters({ filterSettings }: RouteConfig, counters: CounterGroups): void {
  for (const settings of filterSettings) {
    if ("showCounters" in settings) (settings as CountingSettings).showCounters(counters);
  }
}

/** The route tables that came by RDS. */
export class RouteSet {
  readonly #counters: CounterGroups;
  readonly #places = new Map<string, Place>();

  constructor(counters: CounterGroups) {
    this.#counters = counters;
  }

  /** The place of a table, whether it has come or not. */
  source(name: string): RouteSource {
    return this.#place(name);
  }

  #place(name: string): Place {
    const place = this.#places.get(name) ?? new Place();
    this.#places.set(name, place);
    return place;
  }

  /** A table that came, encoded. */
  bodyOf(name: string): Uint8Array | undefined {
    const place = this.#places.get(name);
    return place?.current === undefined ? undefined : place.body;
  }

  /** Requests that begin from now on use it. */
  put(config: RouteConfig, body: Uint8Array): void {
    showCounters(config, this.#counters);
    const place = this.#place(config.name);
    place.current = config;
    place.body = body;
  }

  /** The tables that came, encoded. */
  get bodies(): readonly Uint8Array[] {
    return [...this.#places.values()].flatMap(({ current, body }) =>
      current === undefined ? [] : [body],
    );
  }

  /** Forgets tables that no listener asks for any more. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#places.keys()) if (!names.has(name)) this.#places.delete(name);
  }
}
