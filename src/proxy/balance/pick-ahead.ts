import type { ClusterConfig } from "../cluster/cluster-config.ts";
import type { Host } from "../cluster/host.ts";
import { HEALTH } from "../cluster/host-health.ts";
import type { Picker } from "./picker.ts";

/**
 * Knows which hosts are next before somebody asks for them: they are drawn ahead, and given out in
 * that order. Only for balancers whose choice does not depend on the request, as in Envoy.
 */
export class PickAhead {
  readonly #hosts: Host[] = [];
  /** Who has drawn them: what another one draws after a change is another matter. */
  #drawnBy: Picker | undefined = undefined;

  /** `undefined` where nothing is connected ahead. */
  static for({ connection, lb }: ClusterConfig): PickAhead | undefined {
    const isFixed = lb.policy === "round_robin" || lb.policy === "random";
    const isAhead = connection.predictiveRatio > 1 && isFixed && lb.subsets === undefined;
    return isAhead ? new PickAhead() : undefined;
  }

  /** The one behind those that were peeked at before; `undefined` when that is everybody. */
  peek(pick: Picker, all: readonly Host[]): Host | undefined {
    this.#follow(pick);
    const healthy = all.filter(({ health }) => health === HEALTH.healthy).length;
    if (this.#hosts.length >= healthy) return undefined;
    const host = pick(undefined);
    if (host !== undefined) this.#hosts.push(host);
    return host;
  }

  /** The next one that was drawn ahead; `undefined` when there is none. */
  take(pick: Picker): Host | undefined {
    this.#follow(pick);
    return this.#hosts.shift();
  }

  #follow(pick: Picker): void {
    if (this.#drawnBy === pick) return;
    this.#drawnBy = pick;
    this.#hosts.length = 0;
  }
}
