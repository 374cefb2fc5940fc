import type { InheritingOverride } from "../../match/filter-overrides.ts";
import type { MutationStep } from "../../match/mutation-steps.ts";
import { mutateQuery, type QueryMutation } from "../../match/query-mutations.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { BodySink } from "../http/body-sink.ts";
import type { HeaderList } from "../http/header-list.ts";
import { applySteps, mutateList } from "../http/header-mutation.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import { CODING, type ResponseHead } from "../http/message-head.ts";

/** What one level of the configuration changes. */
export interface LevelSteps {
  readonly request: readonly MutationStep[];
  readonly query: readonly QueryMutation[];
  readonly response: readonly MutationStep[];
  readonly requestTrailers: readonly MutationStep[];
  readonly responseTrailers: readonly MutationStep[];
}

/** What a route says to the filter: that of all its levels, the most specific first. */
export interface HeaderMutationSettings extends InheritingOverride {
  readonly filter: "header_mutation";
  readonly levels: readonly LevelSteps[];
}

export function headerMutationSettings(levels: readonly LevelSteps[]): HeaderMutationSettings {
  return {
    filter: "header_mutation",
    levels,
    inherit: (less) =>
      headerMutationSettings(isSettings(less) ? [...levels, ...less.levels] : levels),
  };
}

function isSettings(settings: object): settings is HeaderMutationSettings {
  return "filter" in settings && settings.filter === "header_mutation";
}

/** What the filter itself says. */
export interface HeaderMutationConfig {
  readonly own: LevelSteps;
  /** Else the least specific level of a route has the last word. */
  readonly mostSpecificWins: boolean;
}

const NO_LEVELS: readonly LevelSteps[] = [];

/** Changes headers, query parameters and trailers: the filter's own steps, then those of the route. */
export class HeaderMutationFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #config: HeaderMutationConfig;

  constructor(stream: FilterStream, name: string, config: HeaderMutationConfig) {
    this.#stream = stream;
    this.#name = name;
    this.#config = config;
  }

  /** Those of the route in the order in which they are done. */
  get #levels(): readonly LevelSteps[] {
    const given = this.#stream.routeConfig(this.#name);
    if (given === undefined || !isSettings(given)) return NO_LEVELS;
    return this.#config.mostSpecificWins ? given.levels.toReversed() : given.levels;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    this.#mutateRequest(this.#config.own, isEnd);
    for (const level of this.#levels) this.#mutateRequest(level, isEnd);
    return FILTER.continue;
  }

  #mutateRequest({ request, query, requestTrailers }: LevelSteps, isEnd: boolean): void {
    const { head, info, notes } = this.#stream;
    const hadLength = head.contentLength > 0;
    const refused = applySteps(request, head, info);
    notes.refusedHeader ||= refused;
    // The upstream must be able to tell where the body ends.
    if (hadLength && head.contentLength === -1) head.coding = CODING.chunked;
    if (query.length > 0) head.path = mutateQuery(query, head.path, info);
    if (isEnd || requestTrailers.length === 0) return;
    this.#stream.interceptRequest((next) => new TrailerMutation(requestTrailers, info, next));
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): void {
    this.#mutateResponse(this.#config.own, head, hasBody);
    for (const level of this.#levels) this.#mutateResponse(level, head, hasBody);
  }

  #mutateResponse(
    { response, responseTrailers }: LevelSteps,
    head: ResponseHead,
    hasBody: boolean,
  ): void {
    const { info } = this.#stream;
    applySteps(response, head, info);
    if (!hasBody || responseTrailers.length === 0) return;
    this.#stream.interceptResponse((next) => new TrailerMutation(responseTrailers, info, next));
  }
}

/** Changes trailers that come; without any there are none after it either. */
class TrailerMutation implements BodySink {
  readonly #steps: readonly MutationStep[];
  readonly #info: StreamInfo;
  readonly #next: BodySink;

  constructor(steps: readonly MutationStep[], info: StreamInfo, next: BodySink) {
    this.#steps = steps;
    this.#info = info;
    this.#next = next;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    this.#next.onBodyBytes(buffer, from, to);
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (trailers !== undefined) mutateList(this.#steps, trailers, this.#info);
    this.#next.onBodyEnd(trailers);
  }
}
