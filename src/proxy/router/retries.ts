import type { Timer } from "../../base/clock.ts";
import type { RetryPolicy } from "../../match/retry-policy.ts";
import type { Breakers } from "../cluster/breakers.ts";
import type { ClusterLoad } from "../cluster/load.ts";
import type { ResponseHead } from "../http/message-head.ts";
import { waitBeforeRetry } from "./retry-decision.ts";
import type { RoutedStream } from "./routed-stream.ts";

/** The retries of one request: whether another may be made, the wait before it, what is counted. */
export class Retries {
  readonly #stream: RoutedStream;
  #breakers: Breakers | undefined = undefined;
  #load: ClusterLoad | undefined = undefined;
  #timer: Timer | undefined = undefined;
  /** Whether a retry of this request is counted among those in progress. */
  #isCounted = false;

  constructor(stream: RoutedStream) {
    this.#stream = stream;
  }

  /** What follows is about a request to this cluster. */
  start(breakers: Breakers, load: ClusterLoad): void {
    this.#breakers = breakers;
    this.#load = load;
  }

  /** Whether one more may follow; the response flags say where the cluster or the policy forbids it. */
  isAllowed({ retriesMax }: RetryPolicy, attempts: number, canSendAgain: boolean): boolean {
    this.end(false);
    const load = this.#load;
    const breakers = this.#breakers;
    if (load === undefined || breakers === undefined) return false;
    if (attempts > retriesMax) {
      this.#stream.addFlag("URX");
      load.retriesExhausted++;
      return false;
    }
    if (!canSendAgain) return false;
    if (breakers.canRetry()) return true;
    this.#stream.addFlag("UO");
    load.retriesOverflow++;
    return false;
  }

  /** Waits as long as the policy or the response says, then goes on with `attempt`. */
  schedule(
    policy: RetryPolicy,
    attempts: number,
    response: ResponseHead | undefined,
    attempt: () => void,
  ): void {
    const { clock, prng } = this.#stream.context;
    const wait = waitBeforeRetry(policy, attempts, response, prng.next(), clock.nowMs());
    if (this.#breakers !== undefined) this.#breakers.retries++;
    this.#isCounted = true;
    this.#timer = clock.setTimer(wait.ms, () => {
      this.#timer = undefined;
      this.#load?.countRetry(wait.isAsked);
      attempt();
    });
  }

  /** The outcome of a retry is known. */
  end(isSuccess: boolean): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    if (this.#breakers !== undefined) this.#breakers.retries--;
    if (isSuccess && this.#load !== undefined) this.#load.retriesSucceeded++;
  }

  cancel(): void {
    this.end(false);
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
