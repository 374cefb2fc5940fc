import type { InheritingOverride } from "../../match/filter-overrides.ts";
import type { FilterStateObject } from "../../match/filter-state.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { TextFormat } from "../../match/substitution.ts";
import type { FilterNotes } from "../http/filter-notes.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";

/** One object to put into the filter state. */
export interface StateRule {
  readonly key: string;
  readonly value: TextFormat;
  /** `undefined` where the text makes none. */
  readonly create: (text: string) => FilterStateObject | undefined;
  readonly isReadOnly: boolean;
  readonly skipsEmpty: boolean;
}

/** What one level of the configuration puts there. */
export interface StateLevel {
  readonly rules: readonly StateRule[];
  readonly findsRouteAnew: boolean;
}

/** What a route says to the filter: that of all its levels, the least specific first. */
export interface FilterStateSettings extends InheritingOverride {
  readonly filter: "set_filter_state";
  readonly levels: readonly StateLevel[];
}

export function filterStateSettings(levels: readonly StateLevel[]): FilterStateSettings {
  return {
    filter: "set_filter_state",
    levels,
    inherit: (less) => filterStateSettings(isSettings(less) ? [...less.levels, ...levels] : levels),
  };
}

function isSettings(settings: object): settings is FilterStateSettings {
  return "filter" in settings && settings.filter === "set_filter_state";
}

/** Puts objects into the filter state of a request, as its own rules and those of the route say. */
export class SetFilterStateFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #own: StateLevel;

  constructor(stream: FilterStream, name: string, own: StateLevel) {
    this.#stream = stream;
    this.#name = name;
    this.#own = own;
  }

  onRequestHead(): FilterStatus {
    const { notes, info } = this.#stream;
    applyRules(this.#own.rules, notes, info);
    const given = this.#stream.routeConfig(this.#name);
    if (given !== undefined && isSettings(given)) {
      for (const { rules } of given.levels) applyRules(rules, notes, info);
    }
    if (this.#own.findsRouteAnew) this.#stream.refreshRoute();
    return FILTER.continue;
  }
}

function applyRules(rules: readonly StateRule[], notes: FilterNotes, info: StreamInfo): void {
  for (const { key, value, create, isReadOnly, skipsEmpty } of rules) {
    const text = value(info);
    if (text === "" && skipsEmpty) continue;
    const object = create(text);
    if (object !== undefined) notes.setState(key, object, isReadOnly);
  }
}
