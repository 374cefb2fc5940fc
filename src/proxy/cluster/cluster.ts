import { formatHostPort } from "../../base/ip.ts";
import type { Prng } from "../../base/prng.ts";
import type { Assignment, ClusterConfig, Endpoint } from "./cluster-config.ts";
import { Host } from "./host.ts";
import { ClusterLoad } from "./load.ts";
import { createPicker, type Picker } from "./load-balancer.ts";

/** A cluster at run time: its hosts, and which of them is next. */
export class Cluster {
  readonly config: ClusterConfig;
  readonly load: ClusterLoad;
  /** Whether it came by CDS. */
  readonly isDynamic: boolean;
  readonly #prng: Prng;
  #hosts: readonly Host[] = [];
  #pick: Picker = () => undefined;
  #isRetired = false;

  constructor(config: ClusterConfig, isDynamic: boolean, prng: Prng) {
    this.config = config;
    this.isDynamic = isDynamic;
    this.#prng = prng;
    this.load = new ClusterLoad(config);
  }

  get hosts(): readonly Host[] {
    return this.#hosts;
  }

  /** The host for one request; `undefined` when none may be used. */
  pick(): Host | undefined {
    return this.#pick();
  }

  /** Another host than those tried, when the balancer names one within `drawsMax` draws. */
  pickOther(tried: readonly Host[], drawsMax: number): Host | undefined {
    let host = this.#pick();
    for (let draw = 0; draw < drawsMax && host !== undefined && tried.includes(host); draw++) {
      host = this.#pick();
    }
    return host;
  }

  /** Takes new endpoints. Hosts that stay keep their connections, those that went lose them. */
  assign(assignment: Assignment): void {
    if (this.#isRetired) return;
    const known = new Map(this.#hosts.map((host) => [host.key, host]));
    const hosts = new Map<string, Host>();
    for (const endpoint of assignment.endpoints) {
      const key = formatHostPort(endpoint.address, endpoint.port);
      // The first of two entries for one address wins, as in Envoy.
      if (hosts.has(key)) continue;
      hosts.set(key, this.#reuse(known.get(key), endpoint));
    }
    this.#hosts = [...hosts.values()];
    const { lbPolicy, choiceCount } = this.config;
    this.#pick = createPicker(lbPolicy, choiceCount, this.#usable(), this.#prng);
    for (const host of known.values()) if (!hosts.has(host.key)) host.remove();
  }

  #reuse(host: Host | undefined, endpoint: Endpoint): Host {
    if (host === undefined) return new Host(endpoint.address, endpoint.port, endpoint, this.load);
    host.state = endpoint;
    return host;
  }

  /** The healthy hosts; all of them when so few are healthy that they would be overrun. */
  #usable(): readonly Host[] {
    const healthy = this.#hosts.filter((host) => host.state.isHealthy);
    const percent = (healthy.length * 100) / Math.max(1, this.#hosts.length);
    return percent < this.config.panicPercent ? this.#hosts : healthy;
  }

  /** The cluster is gone or replaced: requests in flight end, connections are not kept. */
  retire(): void {
    this.#isRetired = true;
    for (const host of this.#hosts) host.remove();
  }
}
