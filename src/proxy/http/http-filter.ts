import type { MatchRequest, MetadataValue } from "../../match/match-request.ts";
import type { ClusterChoice, Route } from "../../match/route.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { VirtualHost } from "../../match/virtual-host.ts";
import type { ProxyContext } from "../context.ts";
import type { CounterGroups } from "../counters.ts";
import type { OnDemandHosts } from "../on-demand-hosts.ts";
import type { FilterNotes } from "./filter-notes.ts";
import type { LocalReply } from "./local-reply.ts";
import type { RequestHead, ResponseHead } from "./message-head.ts";
import type { MakeSink, WholeRequest } from "./request-way.ts";

/** What becomes of a request after a filter has seen its head. */
export const FILTER = {
  /** The next filter's turn. */
  continue: 0,
  /** The filter holds the request until it calls `continueRequest`, or it has answered it. */
  stop: 1,
} as const;
export type FilterStatus = (typeof FILTER)[keyof typeof FILTER];

/** What is noted of a request under one namespace. */
export type DynamicMetadata = { readonly [key: string]: MetadataValue };

/** What a filter sees of its stream, and what it may do to it. */
export interface FilterStream extends MatchRequest {
  readonly head: RequestHead;
  readonly context: ProxyContext;
  /** What header values and logs may say of it. */
  readonly info: StreamInfo;
  /** `undefined` when none matched; the router answers that. */
  readonly route: Route | undefined;
  readonly virtualHost: VirtualHost | undefined;
  /** The stream's scheme, `http` or `https`. */
  readonly scheme: string;
  /** Where the route sends the request; `undefined` when it does not. */
  readonly choice: ClusterChoice | undefined;
  /** What the route says to the filter of that name; `undefined` when nothing. */
  routeConfig(filter: string): object | undefined;
  /** Notes something that matchers and access logs may look at. */
  setDynamicMetadata(namespace: string, values: DynamicMetadata): void;
  /** Answers in the upstream's stead. The response filters see the answer. */
  localReply(reply: LocalReply): void;
  /** Lets a held request go on to the next filter. */
  continueRequest(): void;
  /** Where virtual hosts of its route table are asked for; `undefined` when nowhere. */
  readonly onDemand: OnDemandHosts | undefined;
  /** Whether the filters see this request for the second time, because its routes changed. */
  readonly isRestarted: boolean;
  /** Finds the route of a held request anew, and shows the request to all filters once more. */
  restart(): void;
  /** Finds the route anew after a filter has changed what it goes by; the filters stay as they are. */
  refreshRoute(): void;
  /** What filters say of the request to those that come after them. */
  readonly notes: FilterNotes;
  /** Adds a response flag, as access logs print it. */
  addFlag(flag: string): void;
  /**
   * Puts something between the client's body and the next filter; called in `onRequestHead` only,
   * and not when no body follows. It gets nothing before all filters have let the request pass. What
   * the filter writes goes to `next`, whose bytes are valid during the call only, and whose
   * `onBodyEnd` gets the trailers. A filter that changes the length says `head.forgetLength()`.
   */
  interceptRequest(make: MakeSink): void;
  /**
   * Holds the request until all of its body is here; called in `onRequestHead`, which then stops. What
   * is counted and kept is what the client sends, whatever filters before put in between.
   */
  gatherRequest(whole: WholeRequest): void;
  /**
   * The same between the upstream's body and the client; called in `onResponseHead` only. Of a
   * filter that holds the head what it writes waits behind it.
   */
  interceptResponse(make: MakeSink): void;
  /**
   * Lets a head that `onResponseHead` has held go on to the next filter, as it is by now; `hasBody`
   * where it gets a body that it did not have.
   */
  continueResponse(hasBody?: true): void;
  /** How much of a message a filter may keep while it waits for the rest. */
  readonly bufferBytesMax: number;
  /** Stops and goes on reading from the client, for a filter that holds request bytes. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** What was written to `next` outside of the calls that bring the client's bytes goes out. */
  flushRequest(): void;
  /** Stops and goes on reading from the upstream, for a filter that holds response bytes. */
  pauseResponse(): void;
  resumeResponse(): void;
  /** What was written to `next` outside of the calls that bring the upstream's bytes goes out. */
  flushResponse(): void;
}

/**
 * One HTTP filter at work. One object serves all requests of a connection one after the other. It
 * sees every response, those to requests that it has not seen included.
 */
export interface HttpFilter {
  /** The head has come; `isEnd` when no body follows. */
  onRequestHead?(isEnd: boolean): FilterStatus;
  /**
   * A response, the upstream's or the proxy's own, is about to be sent. Filters run in reverse. One
   * that stops holds the head, which stays good, until it calls `continueResponse`, or it has
   * answered in its place. Of the body no more is kept then than a connection may buffer.
   */
  onResponseHead?(head: ResponseHead, hasBody: boolean): FilterStatus | void;
  /** The stream is over and logged, in order or not: timers end here, and what is kept of it. */
  onStreamEnd?(): void;
  /**
   * What it knows of the request under a namespace; asked only of a filter that has seen the
   * request, and when somebody wants to know: so it costs nothing where nobody does.
   */
  dynamicMetadata?(namespace: string): DynamicMetadata | undefined;
}

/** What a route says to a filter that counts under a name of its own. */
export interface CountingSettings {
  /** Called when its table is used for the first time: its numbers are there, and zero. */
  showCounters(counters: CounterGroups): void;
}

/** Where a filter stands, and what it shares with those of other connection managers. */
export interface FilterScope {
  readonly context: ProxyContext;
  /** Its name in the filter chain: routes give it settings under that name. */
  readonly name: string;
  /** What its counters begin with: `http.<stat_prefix>`. */
  readonly statPrefix: string;
}

/** A filter of a connection manager, decoded and checked. */
export interface HttpFilterConfig {
  readonly name: string;
  /** Left out, unless a route says otherwise. */
  readonly isDisabled: boolean;
  /** It asks when what happened to a request. */
  readonly needsTimes?: boolean;
  /** Called once; what it answers, once for each connection. */
  readonly open: (scope: FilterScope) => (stream: FilterStream) => HttpFilter;
}

/** A filter of a connection manager at run time. */
export interface OpenFilter {
  readonly name: string;
  readonly isDisabled: boolean;
  readonly create: (stream: FilterStream) => HttpFilter;
}
