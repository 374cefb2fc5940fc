import { SuccessWindow } from "./outlier-statistics.ts";

/** What is counted in a row, by Envoy's `OutlierEjectionType`. */
export type ConsecutiveType =
  | "CONSECUTIVE_5XX"
  | "CONSECUTIVE_GATEWAY_FAILURE"
  | "CONSECUTIVE_LOCAL_ORIGIN_FAILURE";

/** Who decides what becomes of a host. */
export interface OutlierJudge {
  readonly splitsLocalOrigin: boolean;
  /** So many failures came in a row. */
  onFailures(monitor: OutlierMonitor, type: ConsecutiveType, count: number): void;
}

const OK = 200;
const UNAVAILABLE = 503;

/** What is known of one host by its answers; told by whoever sends something to the host. */
export class OutlierMonitor {
  readonly #judge: OutlierJudge;
  /** Answers; without the split also failures to get one. */
  readonly external = new SuccessWindow();
  /** With the split: whether the host could be reached. */
  readonly localOrigin = new SuccessWindow();
  #serverErrors = 0;
  #gatewayFailures = 0;
  #localFailures = 0;
  /** How often it was ejected. */
  ejections = 0;
  /** How many times the base length the next ejection takes at most. */
  backOff = 0;
  /** Added to the length of the present ejection. */
  jitterMs = 0;
  /** On the monotonic clock; `undefined` before it happened. */
  ejectedAtMs: number | undefined = undefined;
  returnedAtMs: number | undefined = undefined;

  constructor(judge: OutlierJudge) {
    this.#judge = judge;
  }

  /** The host answered with this HTTP status, or one that says as much. */
  onStatus(status: number): void {
    const isError = status >= 500 && status < 600;
    this.external.add(!isError);
    if (!isError) {
      this.#serverErrors = 0;
      this.#gatewayFailures = 0;
      return;
    }
    if (status >= 502 && status <= 504) {
      this.#gatewayFailures++;
      this.#judge.onFailures(this, "CONSECUTIVE_GATEWAY_FAILURE", this.#gatewayFailures);
    } else this.#gatewayFailures = 0;
    this.#serverErrors++;
    this.#judge.onFailures(this, "CONSECUTIVE_5XX", this.#serverErrors);
  }

  /** There is a connection to send a request on, whose answer follows. */
  onConnected(): void {
    if (this.#judge.splitsLocalOrigin) this.#onReached();
  }

  /** There is a connection, and that is all that is known of the host. */
  onConnectedOnly(): void {
    if (this.#judge.splitsLocalOrigin) this.#onReached();
    else this.onStatus(OK);
  }

  /** It could not be connected to, or what was connected broke off. */
  onUnreachable(): void {
    if (this.#judge.splitsLocalOrigin) this.#onMissed();
    else this.onStatus(UNAVAILABLE);
  }

  /** It took too long; `status` is what the client is told. */
  onTimeout(status: number): void {
    if (this.#judge.splitsLocalOrigin) this.#onMissed();
    else this.onStatus(status);
  }

  #onReached(): void {
    this.localOrigin.add(true);
    this.#localFailures = 0;
  }

  #onMissed(): void {
    this.localOrigin.add(false);
    this.#localFailures++;
    this.#judge.onFailures(this, "CONSECUTIVE_LOCAL_ORIGIN_FAILURE", this.#localFailures);
  }

  /** Counts these failures from the beginning. */
  forget(type: ConsecutiveType): void {
    if (type === "CONSECUTIVE_5XX") this.#serverErrors = 0;
    else if (type === "CONSECUTIVE_GATEWAY_FAILURE") this.#gatewayFailures = 0;
    else this.#localFailures = 0;
  }

  /** The host is back: what it did before does not count. */
  onReturn(nowMs: number): void {
    this.returnedAtMs = nowMs;
    this.#serverErrors = 0;
    this.#gatewayFailures = 0;
    this.#localFailures = 0;
  }
}
