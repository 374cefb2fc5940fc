import type { SubsetCriteria } from "../../match/subset-criteria.ts";
import type { Hash64 } from "../balance/hash64.ts";
import type { PickContext } from "../balance/pick-context.ts";
import type { PriorityLoad } from "../balance/priority-load.ts";
import type { Host } from "./host.ts";

const NO_CRITERIA: SubsetCriteria = [];
const NOTHING: PriorityLoad = { healthy: [], degraded: [] };

/**
 * What a request asks of a choice whose priority somebody else has made. One object serves one
 * choice after the other, so that a choice allocates nothing.
 */
export class AimedContext implements PickContext {
  #inner: PickContext | undefined = undefined;
  #load = NOTHING;

  /** For the next choice: whose it is, and which priority it is. */
  aim(inner: PickContext | undefined, load: PriorityLoad): void {
    this.#inner = inner;
    this.#load = load;
  }

  /** Keeps nothing of the request. */
  release(): void {
    this.#inner = undefined;
  }

  priorityLoad(): PriorityLoad {
    return this.#load;
  }

  get subsetCriteria(): SubsetCriteria {
    return this.#inner?.subsetCriteria ?? NO_CRITERIA;
  }

  get originalDestination(): string | undefined {
    return this.#inner?.originalDestination;
  }

  get requestedName(): string {
    return this.#inner?.requestedName ?? "";
  }

  get requestedPort(): number | undefined {
    return this.#inner?.requestedPort;
  }

  requestHeader(name: string): string | undefined {
    return this.#inner?.requestHeader(name);
  }

  get hostDrawsMax(): number {
    return this.#inner?.hostDrawsMax ?? 0;
  }

  rejectsHost(host: Host): boolean {
    return this.#inner?.rejectsHost(host) === true;
  }

  hash(): Hash64 | undefined {
    return this.#inner?.hash?.();
  }
}
