import type { Clock, Timer } from "../../base/clock.ts";
import { isIPv4, isIPv6, parseHostPort } from "../../base/ip.ts";
import type { PickContext } from "../balance/pick-context.ts";
import type { Cluster } from "./cluster.ts";
import type { Endpoint, OriginalDstConfig } from "./cluster-config.ts";
import { endpointKey, Host } from "./host.ts";

interface Entry {
  readonly host: Host;
  isUsed: boolean;
}

/**
 * Makes the hosts of an ORIGINAL_DST cluster: one for every address that clients wanted to reach,
 * kept while it is used.
 */
export class OriginalDst {
  readonly #config: OriginalDstConfig;
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #timer: Timer;

  constructor(config: OriginalDstConfig, cluster: Cluster, clock: Clock) {
    this.#config = config;
    this.#cluster = cluster;
    this.#clock = clock;
    this.#timer = clock.setTimer(config.cleanupMs, this.#cleanUp);
    this.#tellHosts();
  }

  readonly #pick = (context: PickContext | undefined): Host | undefined => {
    const wanted = this.#destination(context);
    if (wanted === undefined) return undefined;
    const address = wanted.host;
    const port = this.#config.portOverride ?? wanted.port ?? 0;
    const key = endpointKey({ address, port });
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.isUsed = true;
      return known.host;
    }
    const host = new Host(endpointOf(address, port), this.#cluster.load);
    this.#entries.set(key, { host, isUsed: true });
    this.#cluster.load.membershipChanges++;
    this.#tellHosts();
    return host;
  };

  /** What the header says where it counts and is an address; else where the client went. */
  #destination(context: PickContext | undefined): ReturnType<typeof parseHostPort> {
    const { header } = this.#config;
    const named = header === "" ? undefined : context?.requestHeader(header);
    if (named !== undefined) {
      const parsed = parseHostPort(named);
      if (parsed?.port !== undefined && (isIPv4(parsed.host) || isIPv6(parsed.host))) return parsed;
      this.#cluster.load.originalDstInvalid++;
    }
    const original = context?.originalDestination;
    return original === undefined ? undefined : parseHostPort(original);
  }

  /** Drops what nobody chose since the last time and nobody is connected to. */
  readonly #cleanUp = (): void => {
    const before = this.#entries.size;
    for (const [key, entry] of this.#entries) {
      if (entry.isUsed || entry.host.activeConnections > 0) entry.isUsed = false;
      else this.#entries.delete(key);
    }
    if (this.#entries.size !== before) {
      this.#cluster.load.membershipChanges++;
      this.#tellHosts();
    }
    this.#timer = this.#clock.setTimer(this.#config.cleanupMs, this.#cleanUp);
  };

  #tellHosts(): void {
    const hosts = [...this.#entries.values()].map(({ host }) => host);
    this.#cluster.provideHosts(hosts, this.#pick);
  }

  close(): void {
    this.#timer.cancel();
  }
}

const PLACE = { region: "", zone: "", subZone: "", weight: 0 };

/** An endpoint of which only the address is known. */
export function endpointOf(address: string, port: number): Endpoint {
  return {
    address,
    port,
    weight: 1,
    health: "UNKNOWN",
    hostname: "",
    locality: PLACE,
    priority: 0,
    metadata: {},
    additionalAddresses: [],
    healthCheck: undefined,
  };
}
