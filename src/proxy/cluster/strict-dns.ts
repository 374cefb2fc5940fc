import type { Clock, Timer } from "../../base/clock.ts";
import { isIPv4, isIPv6 } from "../../base/ip.ts";
import type { Assignment, ClusterConfig, Endpoint } from "./cluster-config.ts";

/** The IPv4 addresses of a name; rejects when it cannot be resolved. */
export type NameResolver = (name: string) => Promise<readonly string[]>;

/** Resolves the names of a STRICT_DNS cluster again and again; every address is a host. */
export class StrictDns {
  readonly #config: ClusterConfig;
  readonly #clock: Clock;
  readonly #resolveName: NameResolver;
  readonly #onAssignment: (assignment: Assignment) => void;
  /** The last good addresses of each name: a failed look-up changes nothing. */
  readonly #known = new Map<string, readonly string[]>();
  #timer: Timer | undefined = undefined;
  #isClosed = false;

  constructor(
    config: ClusterConfig,
    deps: { readonly clock: Clock; readonly resolveName: NameResolver },
    onAssignment: (assignment: Assignment) => void,
  ) {
    this.#config = config;
    this.#clock = deps.clock;
    this.#resolveName = deps.resolveName;
    this.#onAssignment = onAssignment;
    void this.#refresh();
  }

  async #refresh(): Promise<void> {
    const { assignment, dnsRefreshMs, name } = this.#config;
    const endpoints = assignment?.endpoints ?? [];
    const resolved = await Promise.all(endpoints.map((endpoint) => this.#resolve(endpoint)));
    if (this.#isClosed) return;
    this.#onAssignment({ name, endpoints: resolved.flat() });
    this.#timer = this.#clock.setTimer(dnsRefreshMs, () => void this.#refresh());
  }

  async #resolve(endpoint: Endpoint): Promise<Endpoint[]> {
    const { address: name } = endpoint;
    if (isIPv4(name) || isIPv6(name)) return [endpoint];
    try {
      this.#known.set(name, await this.#resolveName(name));
    } catch {
      // The name server is away, or the name is not there yet: the next look-up may find it.
    }
    const hostname = endpoint.hostname || name;
    return (this.#known.get(name) ?? []).map((address) => ({ ...endpoint, address, hostname }));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }
}
