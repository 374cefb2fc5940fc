import { divideHosts, type HostSet, type Place } from "../balance/host-set.ts";
import type { LocalZone } from "../balance/zone-routing.ts";
import type { Cluster } from "./cluster.ts";

const NOTHING = { overprovisioningPercent: 100, weighsPriorityHealth: false };

/** Where the proxy stands, and the hosts of its own cluster, by what the bootstrap says of both. */
export class OwnZone implements LocalZone {
  /** The name of the cluster whose hosts do what the proxy does. */
  readonly clusterName: string;
  readonly own: Place | undefined;
  readonly #find: (name: string) => Cluster | undefined;
  #hosts: HostSet | undefined = undefined;

  constructor(
    clusterName: string,
    own: Place | undefined,
    find: (name: string) => Cluster | undefined,
  ) {
    this.clusterName = clusterName;
    this.own = own;
    this.#find = find;
  }

  hosts(): HostSet {
    this.#hosts ??= this.#divide();
    return this.#hosts;
  }

  /** The hosts of the own cluster changed. */
  forget(): void {
    this.#hosts = undefined;
  }

  #divide(): HostSet {
    const { own } = this;
    // Only the first priority counts, in Envoy too.
    const [first] = this.#find(this.clusterName)?.hostSets({ own }) ?? [];
    if (first !== undefined) return first;
    const [none] = divideHosts([], NOTHING, { own });
    if (none === undefined) throw new Error("no hosts have no priority");
    return none;
  }
}
