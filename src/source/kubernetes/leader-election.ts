import type { Clock } from "../../base/clock.ts";
import type { Prng } from "../../base/prng.ts";
import { isJsonObject } from "../../config/json.ts";
import type { ApiClient } from "./api-client.ts";
import { hasCode } from "./api-error.ts";
import type { Troubles } from "./troubles.ts";

/** client-go's times: how long a lease holds, when its holder must have renewed it, how often to try. */
const LEASE_SECONDS = 15;
const RENEW_MS_MAX = 10_000;
const RETRY_MS = 2_000;

/** Giving the lease back at the end may not hold up the end. */
const RELEASE_MS_MAX = 2_000;

/** What an election needs. */
export interface LeaderElectionOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly namespace: string;
  /** Of the lease; those who want the same one choose a leader among them. */
  readonly name: string;
  /** Who this is, different from all others. */
  readonly identity: string;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly troubles: Troubles;
  /** Told each time that this begins or ceases to lead. */
  readonly onChange: (isLeader: boolean) => void;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

interface Lease {
  readonly metadata: { readonly resourceVersion?: string };
  readonly spec: LeaseSpec;
}

/**
 * Chooses one among several processes by a `coordination.k8s.io` Lease, as client-go does. Only
 * the local clock decides how old a renewal is: it counts from when this process saw it.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #path: string;
  #isLeader = false;
  #renewedMs = 0;
  /** What the lease said when it last changed, and when that was seen. */
  #seen: { readonly text: string; readonly atMs: number } | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  }

  /** Whether this leads now. A leader that could not renew stops before another may begin. */
  get isLeader(): boolean {
    return this.#isLeader && this.#options.clock.monotonicMs() - this.#renewedMs < RENEW_MS_MAX;
  }

  /** Takes part until the signal aborts; gives the lease back then. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, prng, troubles, name } = this.#options;
    while (!signal.aborted) {
      try {
        this.#set(await this.#acquireOrRenew(signal));
        troubles.clear(name);
      } catch (error) {
        if (signal.aborted) break;
        if (!this.isLeader) this.#set(false);
        troubles.note(name, this.#explain(error));
      }
      await clock.sleep(RETRY_MS * (1 + 0.2 * prng.next()), signal);
    }
    if (this.#isLeader) await this.#release();
    this.#set(false);
  }

  #set(isLeader: boolean): void {
    if (isLeader === this.#isLeader) return;
    this.#isLeader = isLeader;
    this.#options.onChange(isLeader);
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const { clock, identity } = this.#options;
    const startMs = clock.monotonicMs();
    const lease = await this.#read(signal);
    if (lease !== undefined && !this.#isFree(lease.spec)) return false;
    const spec = this.#nextSpec(lease?.spec, identity, LEASE_SECONDS);
    try {
      await this.#write(lease, spec, signal);
    } catch (error) {
      // Somebody was quicker.
      if (hasCode(error, 409)) return false;
      throw error;
    }
    // From before the request: the others count from when they see it.
    this.#renewedMs = startMs;
    return true;
  }

  /** Whether this holds the lease, or nobody does any more. */
  #isFree(spec: LeaseSpec): boolean {
    const { clock, identity } = this.#options;
    const text = JSON.stringify([spec.holderIdentity, spec.renewTime, spec.leaseTransitions]);
    if (this.#seen?.text !== text) this.#seen = { text, atMs: clock.monotonicMs() };
    const { holderIdentity = "", leaseDurationSeconds = LEASE_SECONDS } = spec;
    if (holderIdentity === "" || holderIdentity === identity) return true;
    return clock.monotonicMs() - this.#seen.atMs > leaseDurationSeconds * 1000;
  }

  #nextSpec(before: LeaseSpec | undefined, holderIdentity: string, seconds: number): LeaseSpec {
    const now = new Date(this.#options.clock.nowMs()).toISOString().replace("Z", "000Z");
    const isSame = before?.holderIdentity === holderIdentity;
    const transitions = before?.leaseTransitions ?? 0;
    return {
      holderIdentity,
      leaseDurationSeconds: seconds,
      renewTime: now,
      acquireTime: isSame ? (before.acquireTime ?? now) : now,
      leaseTransitions: before === undefined || isSame ? transitions : transitions + 1,
    };
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    try {
      const path = `${this.#path}/${this.#options.name}`;
      const found = await this.#options.client.request({ path, signal, idleMs: RENEW_MS_MAX });
      const { metadata, spec } = (isJsonObject(found) ? found : {}) as Partial<Lease>;
      return { metadata: metadata ?? {}, spec: spec ?? {} };
    } catch (error) {
      if (hasCode(error, 404)) return undefined;
      throw error;
    }
  }

  async #write(lease: Lease | undefined, spec: LeaseSpec, signal: AbortSignal): Promise<void> {
    const { client, name, namespace } = this.#options;
    const isNew = lease === undefined;
    await client.request({
      method: isNew ? "POST" : "PUT",
      path: isNew ? this.#path : `${this.#path}/${name}`,
      body: {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { ...lease?.metadata, name, namespace },
        spec,
      },
      signal,
      idleMs: RENEW_MS_MAX,
    });
  }

  /** So that another need not wait for the end of the lease. */
  async #release(): Promise<void> {
    const { clock, identity } = this.#options;
    const controller = new AbortController();
    const timer = clock.setTimer(RELEASE_MS_MAX, () => controller.abort());
    try {
      const lease = await this.#read(controller.signal);
      if (lease?.spec.holderIdentity !== identity) return;
      await this.#write(lease, this.#nextSpec(lease.spec, "", 1), controller.signal);
    } catch {
      // Then it ends by itself.
    } finally {
      timer.cancel();
    }
  }

  #explain(error: unknown): string {
    const { namespace, name } = this.#options;
    const said = error instanceof Error ? error.message : String(error);
    if (hasCode(error, 403)) {
      return (
        `may not write the status of objects: give the account a Role in namespace "${namespace}" with ` +
        `apiGroups ["coordination.k8s.io"], resources ["leases"], verbs ["get", "create", "update"] (${said})`
      );
    }
    return `does not write the status of objects, the lease ${namespace}/${name} cannot be had: ${said}`;
  }
}
