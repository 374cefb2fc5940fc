import { SuccessWindow } from "./outlier-statistics.ts";
import { OutlierTerm } from "./outlier-term.ts";

/** What is counted in a row, by Envoy's `OutlierEjectionType`. */
export type ConsecutiveType =
  | "CONSECUTIVE_5XX"
  | "CONSECUTIVE_GATEWAY_FAILURE"
  | "CONSECUTIVE_LOCAL_ORIGIN_FAILURE";

/** Who decides what becomes of a host. */
export interface OutlierJudge {
  readonly splitsLocalOrigin: boolean;
  readonly heedsDegraded: boolean;
  /** So many failures came in a row. */
  onFailures(monitor: OutlierMonitor, type: ConsecutiveType, count: number): void;
  /** The host said that it does less well than it might. */
  onDegraded(monitor: OutlierMonitor): void;
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
  readonly ejection = new OutlierTerm();
  readonly degradation = new OutlierTerm();

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

  /** Whether it is of interest that a host calls itself degraded. */
  get heedsDegraded(): boolean {
    return this.#judge.heedsDegraded;
  }

  /** The host answered well, and that it is degraded. */
  onDegraded(): void {
    this.#judge.onDegraded(this);
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
    this.ejection.end(nowMs);
    this.#serverErrors = 0;
    this.#gatewayFailures = 0;
    this.#localFailures = 0;
  }
}
