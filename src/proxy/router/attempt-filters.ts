import type { ConnectionInfo, PeerAddress } from "../../match/connection-info.ts";
import type { FilterStateObject } from "../../match/filter-state.ts";
import type { MetadataValue } from "../../match/match-request.ts";
import type { ClusterChoice, Route } from "../../match/route.ts";
import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { VirtualHost } from "../../match/virtual-host.ts";
import type { ClusterConfig } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import type { ProxyContext } from "../context.ts";
import type { OnFault } from "../fault-log.ts";
import type { FilterNotes } from "../http/filter-notes.ts";
import { FilterRun } from "../http/filter-run.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { DynamicMetadata, FilterStream, OpenFilter } from "../http/http-filter.ts";
import type { LocalReply } from "../http/local-reply.ts";
import { fillLocalHead } from "../http/local-reply-head.ts";
import { type RequestHead, ResponseHead } from "../http/message-head.ts";

/** An attempt that filters look at before it is sent. */
export interface FilteredAttempt {
  /** The filters held it and let it go on now. */
  onFiltersPassed(): void;
  /** A filter answers in the upstream's stead; the head is good until the attempt ends. */
  onFilterReply(head: ResponseHead, body: string, reply: LocalReply): void;
}

const OPEN_BY_CONFIG = new WeakMap<ClusterConfig, readonly OpenFilter[]>();

function openFilters(config: ClusterConfig, context: ProxyContext): readonly OpenFilter[] {
  const known = OPEN_BY_CONFIG.get(config);
  if (known !== undefined) return known;
  const statPrefix = `cluster.${config.statName}`;
  const opened = config.httpFilters.map(({ name, isDisabled, open }) => ({
    name,
    isDisabled,
    create: open({ context, name, statPrefix }),
  }));
  OPEN_BY_CONFIG.set(config, opened);
  return opened;
}

/**
 * The HTTP filters of a cluster. They see each attempt of a request by itself, behind the router:
 * what they answer is to retries and time-outs what an upstream answers.
 */
export class AttemptFilters {
  readonly #run: FilterRun;

  /** Those of one attempt at a host; `undefined` where its cluster has none. */
  static of(
    { load }: Host,
    stream: FilterStream,
    attempt: FilteredAttempt,
  ): AttemptFilters | undefined {
    const { config } = load;
    return config.httpFilters.length === 0
      ? undefined
      : new AttemptFilters(config, stream, attempt);
  }
  readonly #onFault: OnFault;

  private constructor(config: ClusterConfig, stream: FilterStream, attempt: FilteredAttempt) {
    const view: AttemptStream = new AttemptStream(stream, attempt, () => this.run());
    this.#run = new FilterRun(openFilters(config, stream.context), view);
    this.#run.begin(undefined);
    this.#onFault = stream.context.faults.note;
  }

  /** Shows the attempt to those that have not seen it; false when one holds it or answered. */
  run(): boolean {
    return this.#run.run(true);
  }

  /** The attempt is over, or has been answered by somebody else. */
  end(): void {
    this.#run.onStreamEnd(this.#onFault);
  }
}

/** A request as the filters of one attempt see it. */
class AttemptStream implements FilterStream {
  readonly #stream: FilterStream;
  readonly #attempt: FilteredAttempt;
  readonly #goOn: () => boolean;

  constructor(stream: FilterStream, attempt: FilteredAttempt, goOn: () => boolean) {
    this.#stream = stream;
    this.#attempt = attempt;
    this.#goOn = goOn;
  }

  get head(): RequestHead {
    return this.#stream.head;
  }
  get context(): ProxyContext {
    return this.#stream.context;
  }
  get info(): StreamInfo {
    return this.#stream.info;
  }
  get route(): Route | undefined {
    return this.#stream.route;
  }
  get virtualHost(): VirtualHost | undefined {
    return this.#stream.virtualHost;
  }
  get scheme(): string {
    return this.#stream.scheme;
  }
  get choice(): ClusterChoice | undefined {
    return this.#stream.choice;
  }
  get method(): string {
    return this.#stream.method;
  }
  get path(): string {
    return this.#stream.path;
  }
  get authority(): string {
    return this.#stream.authority;
  }
  get headers(): HeaderList {
    return this.#stream.head.headers;
  }
  get connection(): ConnectionInfo {
    return this.#stream.connection;
  }
  get remote(): PeerAddress {
    return this.#stream.remote;
  }
  get runtime(): RuntimeReader {
    return this.#stream.runtime;
  }
  dynamicMetadata(namespace: string): { readonly [key: string]: MetadataValue } | undefined {
    return this.#stream.dynamicMetadata(namespace);
  }
  filterState(key: string): FilterStateObject | undefined {
    return this.#stream.filterState(key);
  }

  get notes(): FilterNotes {
    return this.#stream.notes;
  }

  /** The route is known by now. */
  get onDemand(): undefined {
    return undefined;
  }
  get isRestarted(): boolean {
    return this.#stream.isRestarted;
  }
  restart(): void {
    this.#stream.restart();
  }
  refreshRoute(): never {
    throw new Error("the route of an attempt is known");
  }

  /** Routes speak to the filters of the connection manager. */
  routeConfig(): undefined {
    return undefined;
  }
  setDynamicMetadata(namespace: string, values: DynamicMetadata): void {
    this.#stream.setDynamicMetadata(namespace, values);
  }
  addFlag(flag: string): void {
    this.#stream.addFlag(flag);
  }

  continueRequest(): void {
    if (this.#goOn()) this.#attempt.onFiltersPassed();
  }

  localReply(reply: LocalReply): void {
    const head = new ResponseHead();
    const body = fillLocalHead(head, reply, this.head, undefined);
    this.#attempt.onFilterReply(head, body, reply);
  }

  interceptRequest(): never {
    throw new Error("filters of attempts do not change bodies");
  }
  gatherRequest(): never {
    throw new Error("filters of attempts do not wait for bodies");
  }
  interceptResponse(): never {
    throw new Error("filters of attempts do not change bodies");
  }
  continueResponse(): never {
    throw new Error("filters of attempts do not see responses");
  }
  get bufferBytesMax(): number {
    return this.#stream.bufferBytesMax;
  }
  pauseRequest(): void {
    this.#stream.pauseRequest();
  }
  resumeRequest(): void {
    this.#stream.resumeRequest();
  }
  flushRequest(): void {
    this.#stream.flushRequest();
  }
  pauseResponse(): void {
    this.#stream.pauseResponse();
  }
  resumeResponse(): void {
    this.#stream.resumeResponse();
  }
  flushResponse(): void {
    this.#stream.flushResponse();
  }
}
