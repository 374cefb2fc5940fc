import type { ConnectionInfo, PeerAddress } from "../../match/connection-info.ts";
import type { FilterOverrides } from "../../match/filter-overrides.ts";
import type { FilterStateObject } from "../../match/filter-state.ts";
import { joinFlags } from "../../match/response-flags.ts";
import type { ClusterChoice, Route } from "../../match/route.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { VirtualHost } from "../../match/virtual-host.ts";
import type { ProxyContext } from "../context.ts";
import { findClient } from "./client-address.ts";
import { FilterNotes } from "./filter-notes.ts";
import type { HeaderList } from "./header-list.ts";
import type { HttpConfig, HttpService } from "./http-config.ts";
import type { DynamicMetadata, FilterStream } from "./http-filter.ts";
import type { RequestHead } from "./message-head.ts";
import type { StreamCarrier } from "./stream-carrier.ts";
import { StreamTimes } from "./stream-times.ts";

/**
 * What is known of one request and its response: what matchers, filters, the router and logs read.
 * What happens to it is its `HttpStream`'s.
 */
export abstract class StreamFacts {
  readonly head: RequestHead;
  readonly context: ProxyContext;
  protected readonly carrier: StreamCarrier;
  protected readonly service: HttpService;
  readonly times: StreamTimes;
  readonly notes = new FilterNotes();
  scheme = "http";
  knownRemote: PeerAddress | undefined = undefined;
  route: Route | undefined = undefined;
  choice: ClusterChoice | undefined = undefined;
  virtualHost: VirtualHost | undefined = undefined;
  /** Routes that an internal redirect led away from, by name. */
  redirects: string[] = [];
  closes = false;
  isRestarted = false;

  status = 0;
  flag = "";
  details = "";
  bytesReceived = 0;
  bytesSent = 0;
  responseHeaders: HeaderList | undefined = undefined;
  requestTrailers: HeaderList | undefined = undefined;
  responseTrailers: HeaderList | undefined = undefined;

  constructor(carrier: StreamCarrier, head: RequestHead) {
    this.head = head;
    this.context = carrier.context;
    this.carrier = carrier;
    this.service = carrier.service;
    this.times = new StreamTimes(this.context.clock, this.service.keepsTimes);
  }

  // What the matchers and access logs see.
  get method(): string {
    return this.head.method;
  }
  get path(): string {
    return this.head.path;
  }
  get authority(): string {
    return this.head.authority;
  }
  get headers(): HeaderList {
    return this.head.headers;
  }
  get config(): HttpConfig {
    return this.service.config;
  }

  get protocol(): string {
    return this.carrier.protocol;
  }
  get connection(): ConnectionInfo {
    return this.carrier.connection;
  }
  get remote(): PeerAddress {
    this.knownRemote ??= findClient(
      this.config.client,
      this.head.headers.get("x-forwarded-for"),
      this.connection,
    ).remote;
    return this.knownRemote;
  }
  get runtime(): RuntimeReader {
    return this.context.runtime;
  }
  /** As in Envoy, streams of HTTP/2 may buffer what their window lets through. */
  get bufferBytesMax(): number {
    return this.protocol === "HTTP/2"
      ? this.config.http2.streamWindow
      : this.service.bufferBytesMax;
  }
  get onDemand(): FilterStream["onDemand"] {
    return this.service.routes.onDemand;
  }
  filterState(key: string): FilterStateObject | undefined {
    return this.notes.stateOf(key);
  }
  setDynamicMetadata(namespace: string, values: DynamicMetadata): void {
    this.notes.addMetadata(namespace, values);
  }

  /** What the route, all levels of it, says to filters. */
  protected get overrides(): FilterOverrides | undefined {
    return this.choice?.filterOverrides ?? this.route?.filterOverrides;
  }

  routeConfig(filter: string): object | undefined {
    return this.overrides?.get(filter)?.config;
  }

  addFlag(flag: string): void {
    this.flag = joinFlags(this.flag, flag);
  }

  /** For the next request, which begins now; `isRequestDone` when its head is all of it. */
  protected resetFacts(isRequestDone: boolean): void {
    const nowMs = this.context.clock.monotonicMs();
    this.times.reset(nowMs);
    if (isRequestDone) this.times.requestEndMs = nowMs;
    this.knownRemote = undefined;
    this.closes = false;
    this.isRestarted = false;
    this.notes.reset();
    this.route = undefined;
    this.virtualHost = undefined;
    this.choice = undefined;
    if (this.redirects.length > 0) this.redirects = [];
    this.responseHeaders = undefined;
    this.requestTrailers = undefined;
    this.responseTrailers = undefined;
    this.status = 0;
    this.flag = "";
    this.details = "via_upstream";
    this.bytesReceived = 0;
    this.bytesSent = 0;
  }
}
