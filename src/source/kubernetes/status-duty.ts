import type { Prng } from "../../base/prng.ts";
import type { StatusChange } from "../source.ts";
import { LeaderElection } from "./leader-election.ts";
import { StatusWriter, type StatusWriterOptions } from "./status-writer.ts";
import type { Troubles } from "./troubles.ts";

/** The lease that decides which control plane writes; beside it stands Istio's configuration. */
const LEASE_NAME = "weft-status-leader";

/** What writing the status of objects needs. */
export interface StatusDutyOptions extends Omit<StatusWriterOptions, "isLeader"> {
  readonly prng: Prng;
  readonly troubles: Troubles;
  readonly identity: string;
  readonly leaseNamespace: string;
}

/**
 * The status of objects, written by one of all control planes of a cluster. It takes part in the
 * election from the first write on: who has nothing to write needs no lease.
 */
export class StatusDuty {
  readonly #options: StatusDutyOptions;
  readonly #signal: AbortSignal;
  readonly #election: LeaderElection;
  readonly #writer: StatusWriter;
  #running: Promise<void> | undefined;
  #catchingUp: Promise<void> = Promise.resolve();

  /** Ends with the signal; see `ended`. */
  constructor(options: StatusDutyOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const { client, clock, prng, troubles, identity, leaseNamespace } = options;
    this.#election = new LeaderElection({
      client,
      namespace: leaseNamespace,
      name: LEASE_NAME,
      identity,
      clock,
      prng,
      troubles,
      onChange: (isLeader) => this.#noteLeader(isLeader),
    });
    this.#writer = new StatusWriter({ ...options, isLeader: () => this.#election.isLeader });
  }

  /** See `ConfigSource.writeStatus`; resolves at once while another control plane leads. */
  async write(change: StatusChange, signal: AbortSignal): Promise<void> {
    if (this.#signal.aborted) return;
    this.#running ??= this.#election.run(this.#signal);
    await this.#writer.write(change, signal);
  }

  /** The object is gone. */
  forget(key: StatusChange["key"]): void {
    this.#writer.forget(key);
  }

  /** Resolves when nothing is written any more and the lease has been given back. */
  async ended(): Promise<void> {
    await this.#running;
    await this.#catchingUp;
  }

  #noteLeader(isLeader: boolean): void {
    this.#options.metrics.set("weft_kubernetes_leader", isLeader ? 1 : 0);
    if (!isLeader) return;
    this.#catchingUp = this.#catchingUp.then(() => this.#writer.writeAll(this.#signal));
  }
}
