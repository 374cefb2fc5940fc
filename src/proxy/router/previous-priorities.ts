import {
  loadByAvailability,
  type PriorityLoad,
  type PriorityState,
} from "../balance/priority-load.ts";
import type { Host } from "../cluster/host.ts";

/**
 * Spreads the load of one request's retries over the priorities that it has not been to, as
 * Envoy's `envoy.retry_priorities.previous_priorities` does. When it has been to all that could
 * take it, it begins again.
 */
export class PreviousPriorities {
  readonly #updateFrequency: number;
  #attempted: Host[] = [];
  readonly #excluded = new Set<number>();
  #load: PriorityLoad | undefined = undefined;

  constructor(updateFrequency: number) {
    this.#updateFrequency = updateFrequency;
  }

  addAttempt(host: Host): void {
    this.#attempted.push(host);
  }

  loadFor(state: PriorityState, priorityOf: (host: Host) => number | undefined): PriorityLoad {
    const attempts = this.#attempted.length;
    if (attempts < this.#updateFrequency) return state.load;
    if (attempts % this.#updateFrequency !== 0) return this.#load ?? state.load;
    for (const host of this.#attempted) {
      const priority = priorityOf(host);
      if (priority !== undefined) this.#excluded.add(priority);
    }
    let availability = this.#without(state.availability);
    if (isNothing(availability)) {
      this.#excluded.clear();
      this.#attempted = [];
      ({ availability } = state);
    }
    // Nobody can take it: what happens then is the balancer's business.
    if (isNothing(availability)) return state.load;
    this.#load = loadByAvailability(availability);
    return this.#load;
  }

  #without({ healthy, degraded }: PriorityLoad): PriorityLoad {
    const keep = (available: number, priority: number): number =>
      this.#excluded.has(priority) ? 0 : available;
    return { healthy: healthy.map(keep), degraded: degraded.map(keep) };
  }
}

function isNothing({ healthy, degraded }: PriorityLoad): boolean {
  return [...healthy, ...degraded].every((available) => available === 0);
}
