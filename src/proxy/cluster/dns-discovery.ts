import type { Clock, Timer } from "../../base/clock.ts";
import { isIPv4, isIPv6 } from "../../base/ip.ts";
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
  /** Told after every look-up, also one that failed. */
  readonly onAssignment: (assignment: Assignment) => void;
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
    this.#targets = subject.assignment.endpoints.map((endpoint) => new Target(endpoint));
  }

  /** Begins to resolve; the first answer may come before this returns. */
  start(): void {
    if (this.#targets.length === 0) this.#tell();
    for (const target of this.#targets) void this.#refresh(target);
  }

  async #refresh(target: Target): Promise<void> {
    const { load, config } = this.#subject;
    load.updateAttempts++;
    let delayMs: number;
    try {
      const found = await this.#resolve(target.endpoint.address);
      if (this.#isClosed) return;
      if (found.length === 0 && this.#subject.isLogical) throw new Error("no address");
      load.updateSuccesses++;
      if (found.length === 0) load.updatesEmpty++;
      this.#backOffMs = 0;
      target.resolved = this.#endpoints(target.endpoint, found);
      delayMs = refreshMs(config, found);
    } catch {
      // The name server is away, or does not know: the next look-up may find it.
      if (this.#isClosed) return;
      load.updateFailures++;
      delayMs = this.#failureMs();
    }
    this.#tell();
    const { clock } = this.#deps;
    target.timer = clock.setTimer(delayMs, () => void this.#refresh(target));
  }

  async #resolve(name: string): Promise<readonly ResolvedAddress[]> {
    if (isIPv4(name) || isIPv6(name)) return [{ address: name, ttlS: 0 }];
    return this.#deps.resolver.resolve(name);
  }

  #endpoints(endpoint: Endpoint, found: readonly ResolvedAddress[]): readonly Endpoint[] {
    const hostname = endpoint.hostname || endpoint.address;
    const addresses = [...new Set(found.map(({ address }) => address))];
    const taken = this.#subject.isLogical ? addresses.slice(0, 1) : addresses;
    return taken.map((address) => ({ ...endpoint, address, hostname }));
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
  resolved: readonly Endpoint[] = [];
  timer: Timer | undefined = undefined;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }
}

function refreshMs(config: DnsConfig, found: readonly ResolvedAddress[]): number {
  if (!config.respectsTtl || found.length === 0) return config.refreshMs;
  const ttlS = Math.min(...found.map((one) => one.ttlS));
  return ttlS === 0 ? config.refreshMs : ttlS * 1000;
}
