import type { Clock, Timer } from "../base/clock.ts";
import { formatIssue, type Result } from "../base/issue.ts";
import type { OnDemandHost, OnDemandTable, RouteConfig } from "../match/route-config.ts";
import type { DuplicateDomain } from "../match/virtual-host.ts";
import type { Rejection, WireResource } from "../xdsclient/resource-type.ts";
import { decodeOnDemandHost } from "./decode/route-table.ts";

/**
 * So many hosts of one table are asked for at a time; the one that was asked for first goes for
 * the next. Whoever asks for a host may be anybody, and what he asks for stays.
 */
const ASKED_MAX = 4096;
/** So many requests of one table wait at a time, each with no more of its body than one read. */
const WAITING_MAX = 1024;
/** No name of a host, with its port, is longer. */
const AUTHORITY_LENGTH_MAX = 261;
/** A request does not wait longer for its virtual host. */
const ANSWER_MS_MAX = 15_000;

/** Ends a wait whose answer is not needed any more. */
export type CancelWait = () => void;

/** The control plane has answered, or has not in time. */
export type HostAnswer = "answered" | "late";

/** The numbers of one table, under the connection managers that have it. */
export const ON_DEMAND_ZERO = {
  config_reload: 0,
  init_fetch_timeout: 0,
  update_attempt: 0,
  update_empty: 0,
  update_failure: 0,
  update_rejected: 0,
  update_success: 0,
  // These are weft's own.
  hosts_asked: 0,
  hosts_evicted: 0,
  rq_waiting: 0,
  rq_overflow: 0,
  rq_timeout: 0,
};

/** What the hosts of a table need from outside. */
export interface OnDemandDeps {
  readonly clock: Clock;
  /** What is to be asked for is different now. */
  readonly onNames: () => void;
  /** The table serves from now on, or is another. */
  readonly onChange: (config: RouteConfig) => void;
  readonly count: (name: keyof typeof ON_DEMAND_ZERO, by: number) => void;
}

/** A virtual host that came, encoded and decoded. */
interface HeldHost extends OnDemandHost {
  readonly body: Uint8Array;
}

/**
 * The virtual hosts of one route table that come by themselves (VHDS): those that the control plane
 * sends unasked, and those that requests ask for.
 */
export class OnDemandHosts {
  readonly #name: string;
  readonly #deps: OnDemandDeps;
  #table: OnDemandTable;
  /** By the name of the resource, `<table>/<host>`. */
  #hosts: ReadonlyMap<string, HeldHost> = new Map();
  /** Resources that requests asked for, the first one first, and whether they were answered. */
  readonly #asked = new Map<string, boolean>();
  readonly #waiting = new Map<string, Set<(answer: HostAnswer) => void>>();
  #waitingCount = 0;

  constructor(name: string, table: OnDemandTable, deps: OnDemandDeps) {
    this.#name = name;
    this.#table = table;
    this.#deps = deps;
  }

  /** The names of the resources that requests asked for. */
  get askedNames(): Iterable<string> {
    return this.#asked.keys();
  }

  /** Those that came, encoded. */
  get bodies(): readonly Uint8Array[] {
    return [...this.#hosts.values()].map(({ body }) => body);
  }

  /**
   * Asks for the virtual host of an authority. "answered": it was asked for before, and there is
   * nothing more to be had; "overflow": too many wait already.
   */
  ask(
    authority: string,
    onAnswer: (answer: HostAnswer) => void,
  ): "answered" | "overflow" | CancelWait {
    // The name of a table may have slashes, so that of a host may not.
    const isNoHost = authority === "" || authority.includes("/");
    if (isNoHost || authority.length > AUTHORITY_LENGTH_MAX) return "answered";
    const name = `${this.#name}/${authority.toLowerCase()}`;
    const isAnswered = this.#asked.get(name);
    if (isAnswered === true) return "answered";
    if (this.#waitingCount >= WAITING_MAX || (isAnswered === undefined && !this.#makeRoom())) {
      this.#deps.count("rq_overflow", 1);
      return "overflow";
    }
    if (isAnswered === undefined) {
      this.#asked.set(name, false);
      this.#deps.count("hosts_asked", 1);
      this.#deps.onNames();
    }
    return this.#wait(name, onAnswer);
  }

  #wait(name: string, onAnswer: (answer: HostAnswer) => void): CancelWait {
    const waiting = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiting);
    let timer: Timer | undefined;
    const end = (): void => {
      if (!waiting.delete(wake)) return;
      timer?.cancel();
      this.#waitingCount--;
      this.#deps.count("rq_waiting", -1);
      if (waiting.size === 0) this.#waiting.delete(name);
    };
    const wake = (answer: HostAnswer): void => {
      end();
      onAnswer(answer);
    };
    waiting.add(wake);
    this.#waitingCount++;
    this.#deps.count("rq_waiting", 1);
    timer = this.#deps.clock.setTimer(ANSWER_MS_MAX, () => {
      this.#deps.count("rq_timeout", 1);
      wake("late");
    });
    return end;
  }

  /** Gives up the host that was asked for first and that nobody waits for, when there are many. */
  #makeRoom(): boolean {
    if (this.#asked.size < ASKED_MAX) return true;
    for (const name of this.#asked.keys()) {
      if (this.#waiting.has(name)) continue;
      this.#forget(name);
      this.#deps.count("hosts_evicted", 1);
      if (!this.#hosts.has(name)) return true;
      const rest = new Map(this.#hosts);
      rest.delete(name);
      this.#put(rest, this.#table.join([...rest.values()]).config);
      return true;
    }
    return false;
  }

  #forget(name: string): void {
    if (this.#asked.delete(name)) this.#deps.count("hosts_asked", -1);
  }

  #put(hosts: ReadonlyMap<string, HeldHost>, config: RouteConfig): void {
    this.#hosts = hosts;
    this.#deps.onChange(config);
  }

  /**
   * The table itself changed: its hosts are decoded anew under what it says now. Changes nothing
   * yet; what is returned puts it to use, or says why it cannot be.
   */
  prepareTable(table: OnDemandTable): Result<() => void> {
    const hosts = new Map<string, HeldHost>();
    for (const [name, { body }] of this.#hosts) {
      const decoded = decodeOnDemandHost(table, body);
      if (decoded.ok) hosts.set(name, { ...decoded.value, body });
    }
    const { config, duplicates } = table.join([...hosts.values()]);
    const issues = duplicates.map(({ domain }) => ({ path: "", message: duplicateOf(domain) }));
    if (issues.length > 0) return { ok: false, issues };
    const use = (): void => {
      this.#table = table;
      this.#put(hosts, config);
    };
    return { ok: true, value: use };
  }

  /**
   * Takes what came, and lets go on who waits for it. A resource without a body says that there is
   * no such host, as does one that is removed. What cannot be taken is said by the name of its
   * resource, its last good form stays, and requests wait for it no longer.
   */
  update(resources: readonly WireResource[], removed: readonly string[]): readonly Rejection[] {
    this.#deps.count("update_attempt", 1);
    const rejections: Rejection[] = [];
    const next = new Map(this.#hosts);
    for (const name of removed) next.delete(name);
    const isNew = new Set<string>();
    for (const { name, body } of resources) {
      const held = next.get(name);
      if (held !== undefined && body !== undefined && Buffer.compare(held.body, body) === 0) {
        continue;
      }
      const decoded = body && decodeOnDemandHost(this.#table, body);
      if (decoded?.ok === false) {
        rejections.push({ name, reason: decoded.issues.map(formatIssue).join(", ") });
        continue;
      }
      // The newest come last: of two with one domain the newer one is at fault.
      next.delete(name);
      if (decoded === undefined || body === undefined) continue;
      // Not the whole response that it came in.
      next.set(name, { ...decoded.value, body: new Uint8Array(body) });
      isNew.add(name);
    }
    this.#join(next, isNew, rejections);
    this.#deps.count(rejections.length > 0 ? "update_rejected" : "update_success", 1);
    this.#answer(resources, removed, rejections);
    return rejections;
  }

  /** Joins them with the table; new ones that have a domain of another are left as they were. */
  #join(next: Map<string, HeldHost>, isNew: Set<string>, rejections: Rejection[]): void {
    for (;;) {
      const { config, duplicates } = this.#table.join([...next.values()]);
      const [duplicate] = duplicates;
      const faulty = duplicate === undefined ? [] : faultyOf(duplicate, next, isNew);
      if (duplicate === undefined || faulty.length === 0) {
        this.#put(next, config);
        this.#deps.count("config_reload", 1);
        return;
      }
      for (const name of faulty) {
        rejections.push({ name, reason: duplicateOf(duplicate.domain, this.#name) });
        const before = this.#hosts.get(name);
        isNew.delete(name);
        next.delete(name);
        if (before !== undefined) next.set(name, before);
      }
    }
  }

  #answer(
    resources: readonly WireResource[],
    removed: readonly string[],
    rejections: readonly Rejection[],
  ): void {
    const refused = new Set(rejections.map(({ name }) => name));
    const answered = resources.flatMap(({ name, aliases }) => [name, ...aliases]);
    for (const name of answered) {
      if (this.#asked.has(name) && !refused.has(name)) this.#asked.set(name, true);
    }
    // They may be asked for again: another time they may be there, or right.
    for (const name of [...removed, ...refused]) this.#forget(name);
    if (removed.length + refused.size > 0) this.#deps.onNames();
    for (const name of [...answered, ...removed]) this.#wake(name);
  }

  #wake(name: string): void {
    for (const wake of this.#waiting.get(name) ?? []) wake("answered");
  }

  /** The table asks for none any more. */
  close(): void {
    for (const name of this.#waiting.keys()) this.#wake(name);
    this.#deps.count("hosts_asked", -this.#asked.size);
    this.#asked.clear();
  }
}

/** Of the new hosts the one that came second to a domain, or else whoever has that domain. */
function faultyOf(
  { domain, virtualHost }: DuplicateDomain,
  hosts: ReadonlyMap<string, OnDemandHost>,
  isNew: ReadonlySet<string>,
): readonly string[] {
  const having = [...isNew].filter((name) =>
    hosts.get(name)?.virtualHost.domains.some((one) => one.toLowerCase() === domain),
  );
  const second = having.filter((name) => hosts.get(name)?.virtualHost.name === virtualHost);
  return second.length > 0 ? second.slice(-1) : having;
}

function duplicateOf(domain: string, table = ""): string {
  const where = table === "" ? "" : ` in route ${table}`;
  return `Only unique values for domains are permitted. Duplicate entry of domain ${domain}${where}`;
}
