import { formatHostPort } from "../../base/ip.ts";
import type { RetryPolicy } from "../../match/retry-policy.ts";
import type { SubsetCriteria } from "../../match/subset-criteria.ts";
import type { Hash64 } from "../balance/hash64.ts";
import type { PickContext } from "../balance/pick-context.ts";
import type { PriorityLoad, PriorityState } from "../balance/priority-load.ts";
import type { Host } from "../cluster/host.ts";
import type { OverrideHost } from "../http/filter-notes.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { FilterStream } from "../http/http-filter.ts";
import { PreviousPriorities } from "./previous-priorities.ts";
import { RequestHash } from "./request-hash.ts";
import { omitsHost } from "./retry-decision.ts";

/**
 * What the choice of a host for a request depends on: the request, and which hosts it has been to.
 * One object serves all requests of a connection, one after the other.
 */
export class RequestPick implements PickContext {
  readonly #stream: FilterStream;
  policy: RetryPolicy | undefined = undefined;
  /** The present one included. */
  attempts = 0;
  #tried: Host[] = [];
  /** Only where the policy asks for it, from the first attempt that is over. */
  #previous: PreviousPriorities | undefined = undefined;
  /** Made by the first request that is hashed. */
  #hash: RequestHash | undefined = undefined;

  constructor(stream: FilterStream) {
    this.#stream = stream;
  }

  /** A new request, which has been nowhere. */
  begin(): void {
    this.policy = undefined;
    this.attempts = 0;
    if (this.#tried.length > 0) this.#tried = [];
    this.#previous = undefined;
    this.#hash?.begin();
  }

  /** An attempt at the host is over. */
  addTried(host: Host): void {
    this.#tried.push(host);
    const frequency = this.policy?.priorityUpdateFrequency ?? 0;
    if (frequency === 0) return;
    this.#previous ??= new PreviousPriorities(frequency);
    this.#previous.addAttempt(host);
  }

  /** Where the last attempt that is over went. */
  get lastTried(): Host | undefined {
    return this.#tried.at(-1);
  }

  get subsetCriteria(): SubsetCriteria {
    return this.#stream.choice?.subset ?? NO_CRITERIA;
  }

  /** As in Envoy, retries go wherever the balancer says. */
  get overrideHost(): OverrideHost | undefined {
    return this.attempts > 1 ? undefined : this.#stream.notes.overrideHost;
  }

  get originalDestination(): string | undefined {
    const original = this.#stream.connection.originalDestination;
    return original && formatHostPort(original.address, original.port);
  }

  get requestedName(): string {
    return this.#stream.head.authority;
  }

  requestHeader(name: string): string | undefined {
    return this.#stream.head.headers.get(name);
  }

  hash(): Hash64 | undefined {
    const action = this.#stream.route?.action;
    if (action?.kind !== "cluster" || action.hashPolicies.length === 0) return undefined;
    this.#hash ??= new RequestHash();
    return this.#hash.compute(action.hashPolicies, this.#stream);
  }

  /** Gives the client the cookies by which its next requests find the same host. */
  tellCookies(headers: HeaderList): void {
    if (this.#hash === undefined) return;
    for (const cookie of this.#hash.setCookies) headers.add("set-cookie", cookie);
  }

  priorityLoad(state: PriorityState, priorityOf: (host: Host) => number | undefined): PriorityLoad {
    return this.#previous?.loadFor(state, priorityOf) ?? state.load;
  }

  get hostDrawsMax(): number {
    const { policy } = this;
    return this.attempts > 1 && policy !== undefined ? policy.hostDrawsMax : 0;
  }

  rejectsHost(host: Host): boolean {
    const { policy } = this;
    if (policy === undefined) return false;
    if (policy.avoidsPreviousHosts && this.#tried.includes(host)) return true;
    return omitsHost(policy, host.state.metadata);
  }
}

const NO_CRITERIA: SubsetCriteria = [];
