import type { FilterOverrides } from "../../match/filter-overrides.ts";
import type { OnFault } from "../fault-log.ts";
import {
  type DynamicMetadata,
  FILTER,
  type FilterStream,
  type HttpFilter,
  type OpenFilter,
} from "./http-filter.ts";
import type { ResponseHead } from "./message-head.ts";

/** The HTTP filters of one stream, and how far its request has come among them. */
export class FilterRun {
  readonly #configs: readonly OpenFilter[];
  readonly #all: readonly HttpFilter[];
  readonly #leavesOut: boolean;
  #filters: readonly HttpFilter[];
  /** How many of them have let the request pass. */
  #at = 0;
  /** How many of them have not seen the response. */
  #responseAt = 0;
  /** What is answered before a route was looked for does not concern them. */
  #isBegun = false;
  #hasLeft = false;

  constructor(configs: readonly OpenFilter[], stream: FilterStream) {
    this.#configs = configs;
    this.#all = configs.map(({ create }) => create(stream));
    this.#leavesOut = configs.some(({ isDisabled }) => isDisabled);
    this.#filters = this.#all;
  }

  /** Begins anew, without the filters that are disabled, or that the route switches off. */
  begin(overrides: FilterOverrides | undefined): void {
    this.#at = 0;
    this.#isBegun = true;
    this.#hasLeft = false;
    this.#filters = this.#all;
    if (!this.#leavesOut && (overrides === undefined || overrides.size === 0)) return;
    this.#filters = this.#all.filter((_, at) => {
      const filter = this.#configs[at];
      if (filter === undefined) return false;
      return !(overrides?.get(filter.name)?.isDisabled ?? filter.isDisabled);
    });
  }

  /** Shows the request to those that have not seen it; false when one holds it or answered. */
  run(isEnd: boolean): boolean {
    const filters = this.#filters;
    while (this.#at < filters.length) {
      if (filters[this.#at++]?.onRequestHead?.(isEnd) === FILTER.stop) return false;
    }
    return true;
  }

  /** A response comes that none of them has seen. */
  beginResponse(): void {
    this.#responseAt = this.#isBegun && !this.#hasLeft ? this.#filters.length : 0;
  }

  /** Shows the response to those that have not seen it, the last one first; false when one holds it. */
  runResponse(head: ResponseHead, hasBody: boolean): boolean {
    const filters = this.#filters;
    while (this.#responseAt > 0) {
      const filter = filters[--this.#responseAt];
      if (filter?.onResponseHead?.(head, hasBody) === FILTER.stop) return false;
    }
    return true;
  }

  /** What is noted under a namespace, with what filters know of the request. */
  addMetadata(namespace: string, noted: DynamicMetadata | undefined): DynamicMetadata | undefined {
    if (!this.#isBegun) return noted;
    let all = noted;
    for (let at = 0; at < this.#at; at++) {
      const more = this.#filters[at]?.dynamicMetadata?.(namespace);
      if (more !== undefined) all = all === undefined ? more : { ...all, ...more };
    }
    return all;
  }

  /** One of them has thrown, or what they work on: they see nothing more of the response. */
  leave(): void {
    this.#hasLeft = true;
  }

  onStreamEnd(onFault: OnFault): void {
    if (!this.#isBegun) return;
    this.#isBegun = false;
    for (const filter of this.#filters) {
      try {
        filter.onStreamEnd?.();
      } catch (error) {
        onFault(error);
      }
    }
  }
}
