import type { CounterGroups } from "../counters.ts";
import type { HeaderList } from "../http/header-list.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { RequestHead, ResponseHead } from "../http/message-head.ts";

/** Where clients keep the host that their session is at. */
export interface SessionState {
  /**
   * The host as `address:port`, "" where the client names none; `undefined` where the request is
   * none of a session.
   */
  find(head: RequestHead, nowMs: number): string | undefined;
  /** Tells the client of the host. */
  tell(key: string, headers: HeaderList, nowMs: number): void;
}

/** What the filter, or a route, says; decoded and checked. */
export interface SessionSettings {
  readonly filter: "stateful_session";
  /** `undefined` where there are no sessions. */
  readonly state: SessionState | undefined;
  readonly isOff: boolean;
  readonly isStrict: boolean;
  readonly missingStatus: number;
}

export const SESSION_ZERO = { failed_closed: 0, failed_open: 0, no_session: 0, routed: 0 };

/** Sends the requests of one session to one host. */
export class StatefulSessionFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #own: SessionSettings;
  /** What is said by routes is not counted. */
  readonly #counters: typeof SESSION_ZERO | undefined;
  /** Of the request in progress, once it was seen. */
  #settings: SessionSettings | undefined = undefined;
  #wanted: string | undefined = undefined;

  constructor(
    stream: FilterStream,
    name: string,
    own: SessionSettings,
    counters: typeof SESSION_ZERO | undefined,
  ) {
    this.#stream = stream;
    this.#name = name;
    this.#own = own;
    this.#counters = counters;
  }

  onRequestHead(): FilterStatus {
    const { head, notes, context } = this.#stream;
    const given = this.#stream.routeConfig(this.#name);
    const settings = given !== undefined && isSessionSettings(given) ? given : this.#own;
    if (settings.isOff) return FILTER.continue;
    this.#settings = settings;
    const key = settings.state?.find(head, context.clock.nowMs());
    this.#wanted = key;
    if (key !== undefined && key !== "") {
      const { isStrict, missingStatus } = settings;
      notes.overrideHost = { key, isStrict, missingStatus };
    }
    return FILTER.continue;
  }

  onResponseHead({ headers }: ResponseHead): void {
    const settings = this.#settings;
    if (settings === undefined) return;
    const counters = settings === this.#own ? this.#counters : undefined;
    const { info, context } = this.#stream;
    const { host } = info.upstream;
    if (this.#wanted === undefined) {
      if (host !== undefined && counters !== undefined) counters.no_session++;
    } else if (host === undefined) {
      const isMissing = settings.isStrict && info.flag.split(",").includes("UH");
      if (isMissing && counters !== undefined) counters.failed_closed++;
    } else if (host === this.#wanted) {
      if (counters !== undefined) counters.routed++;
    } else {
      settings.state?.tell(host, headers, context.clock.nowMs());
      if (!settings.isStrict && counters !== undefined) counters.failed_open++;
    }
  }

  onStreamEnd(): void {
    this.#settings = undefined;
    this.#wanted = undefined;
  }
}

/** The counters of a filter that has a prefix for them. */
export function sessionCounters(
  groups: CounterGroups,
  statPrefix: string,
  own: string,
): typeof SESSION_ZERO | undefined {
  return own === "" ? undefined : groups.get(`${statPrefix}.stateful_session.${own}`, SESSION_ZERO);
}

function isSessionSettings(settings: object): settings is SessionSettings {
  return "filter" in settings && settings.filter === "stateful_session";
}
