import type { Clock, Timer } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import type { Assignment, DnsConfig, Endpoint } from "./cluster-config.ts";
import type { ClusterLoad } from "./load.ts";
import type { NameResolver, ResolvedAddress } from "./name-resolver.ts";

/** What resolving needs from outside. */
export interface DnsDeps {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly resolver: NameResolver;
}

/** Which cluster is resolved, and whom the answer is for. */
export interface DnsSubject {
  readonly config: DnsConfig;
  readonly assignment: Assignment;
  /** LOGICAL_DNS: the first address stands for all of them. */
  readonly isLogical: boolean;
  readonly load: ClusterLoad;
  /** Told when the addresses changed. */
  readonly onAssignment: (assignment: Assignment) => void;
  /** Told after every look-up, also one that failed. */
  readonly onLookup: () => void;
}

/**
 * Resolves the names of a STRICT_DNS or LOGICAL_DNS cluster again and again, each at its own pace.
 * A failed look-up changes nothing; an answer without addresses takes the hosts away, but not the
 * only host of LOGICAL_DNS.
 */
export class DnsDiscovery {
  readonly #subject: DnsSubject;
  readonly #deps: DnsDeps;
  readonly #targets: readonly Target[];
  #backOffMs = 0;
  #isClosed = false;

  constructor(subject: DnsSubject, deps: DnsDeps) {
    this.#subject = subject;
    this.#deps = deps;
    this.#targets = subject.assignment.endpoints.map(
      (endpoint) => new Target(subject.isLogical ? { ...endpoint, priority: 0 } : endpoint),
    );
  }

  /** Begins to resolve; the first answer may come before this returns. */
  start(): void {
    if (this.#targets.length === 0) this.#subject.onLookup();
    for (const target of this.#targets) void this.#refresh(target);
  }

  async #refresh(target: Target): Promise<void> {
    const { load, onLookup } = this.#subject;
    load.updateAttempts++;
    let found: readonly ResolvedAddress[] | undefined;
    try {
      found = await this.#deps.resolver.resolve(target.endpoint.address);
    } catch {
      // The name server is away, or does not know: the next look-up may find it.
    }
    if (this.#isClosed) return;
    const delayMs = this.#take(target, found);
    onLookup();
    const { clock } = this.#deps;
    target.timer = clock.setTimer(delayMs, () => void this.#refresh(target));
  }

  /** Takes an answer, or that there is none; when to ask again. */
  #take(target: Target, found: readonly ResolvedAddress[] | undefined): number {
    const { load, config, isLogical } = this.#subject;
    if (found === undefined || (isLogical && found.length === 0)) {
      load.updateFailures++;
      return this.#failureMs();
    }
    load.updateSuccesses++;
    this.#backOffMs = 0;
    const isNew = isLogical ? target.takeTogether(found) : target.takeEach(found);
    if (isNew) this.#tell();
    else load.updatesWithoutRebuild++;
    const again = refreshMs(config, isLogical ? found.slice(0, 1) : found);
    return config.jitterMs === 0 ? again : again + this.#deps.prng.next() * config.jitterMs;
  }

  /** Drawn from a window that doubles with every failure, when there is one. */
  #failureMs(): number {
    const { failureRefresh, refreshMs: fixedMs } = this.#subject.config;
    if (failureRefresh === undefined) return fixedMs;
    const windowMs = this.#backOffMs === 0 ? failureRefresh.baseMs : this.#backOffMs;
    this.#backOffMs = Math.min(windowMs * 2, failureRefresh.maxMs);
    // Not at once, or a small draw would ask again in a tight loop.
    return Math.max(1, windowMs * this.#deps.prng.next());
  }

  #tell(): void {
    const endpoints = this.#targets.flatMap(({ resolved }) => resolved);
    this.#subject.onAssignment({ ...this.#subject.assignment, endpoints });
  }

  close(): void {
    this.#isClosed = true;
    this.#deps.resolver.close();
    for (const { timer } of this.#targets) timer?.cancel();
  }
}

/** One name, and the hosts that it means now. */
class Target {
  readonly endpoint: Endpoint;
  /** Those that stay are the same objects from one answer to the next. */
  resolved: readonly Endpoint[] = [];
  timer: Timer | undefined = undefined;

  constructor(endpoint: Endpoint) {
    this.endpoint = { ...endpoint, hostname: endpoint.hostname || endpoint.address };
  }

  /** Every address is a host. Whether that is any other than before; their order does not count. */
  takeEach(found: readonly ResolvedAddress[]): boolean {
    const addresses = new Set(found.map(({ address }) => address));
    const known = new Map(this.resolved.map((one) => [one.address, one]));
    if (addresses.size === known.size && [...addresses].every((one) => known.has(one))) {
      return false;
    }
    this.resolved = [...addresses].map(
      (address) => known.get(address) ?? { ...this.endpoint, address },
    );
    return true;
  }

  /** All addresses are one host's, the first before the others. Whether any is another. */
  takeTogether(found: readonly ResolvedAddress[]): boolean {
    const [first, ...others] = found.map(({ address }) => address);
    const [current] = this.resolved;
    if (first === undefined) return false;
    const { port } = this.endpoint;
    const before = current && [current, ...current.additionalAddresses];
    const isSame =
      before?.length === found.length &&
      found.every((one, at) => one.address === before[at]?.address);
    if (isSame) return false;
    const additionalAddresses = others.map((address) => ({ address, port }));
    this.resolved = [{ ...this.endpoint, address: first, additionalAddresses }];
    return true;
  }
}

/** In milliseconds; a time to live of 0 says nothing. */
function refreshMs(config: DnsConfig, found: readonly ResolvedAddress[]): number {
  if (!config.respectsTtl || found.length === 0) return config.refreshMs;
  const ttlS = Math.min(...found.map((one) => one.ttlS));
  return ttlS === 0 ? config.refreshMs : ttlS * 1000;
}
