import { createHash } from "node:crypto";
import { createPrng } from "../../src/base/prng.ts";
import { SimClock } from "../../src/base/sim-clock.ts";
import type { PickContext } from "../../src/proxy/balance/pick-context.ts";
import type { Cluster } from "../../src/proxy/cluster/cluster.ts";
import type { Assignment, EdsHealth } from "../../src/proxy/cluster/cluster-config.ts";
import type { Host } from "../../src/proxy/cluster/host.ts";
import { HEALTH_FLAG } from "../../src/proxy/cluster/host-health.ts";
import type {
  OpenConnection,
  TerminalFilter,
} from "../../src/proxy/network-filter/network-filter.ts";
import { UpstreamLine } from "../../src/proxy/upstream/upstream-line.ts";
import type { Answer, SimClient } from "../sim/sim-client.ts";
import { enterNetwork } from "../sim/sim-network.ts";
import { connectClient, createSimProxy, type SimProxy } from "../sim/sim-proxy.ts";
import type { SimSocket } from "../sim/sim-socket.ts";
import { SimUpstream } from "../sim/sim-upstream.ts";
import {
  Draws,
  drawAssignment,
  drawBehaviour,
  drawCluster,
  drawListener,
  REQUEST_MS,
} from "./world-config.ts";

const FIRST_PORT = 20_001;
/** The world does something so often. */
const STEP_MS = 25;
const STEPS = 80;
/** After this a cluster serves, checked or not. */
const WARM_MS = 1000;
/** Clients that all ask for one thing come back after this at most. */
const PAUSE_MS = 60;
/** A request may take as long as its time-out, and its way. */
const SLACK_MS = 50;
/** After this everything that waits for something has given up. */
const AFTERLIFE_MS = 7_200_000;

const UNUSABLE: ReadonlySet<EdsHealth> = new Set(["UNHEALTHY", "TIMEOUT", "DRAINING"]);

/** What a world saw. */
export interface Report {
  readonly answers: Readonly<Record<number, number>>;
  readonly requests: number;
  /** Requests that reached an upstream, retries included. */
  readonly arrivals: number;
  readonly ejections: number;
  /** How often a host was seen that failed its health checks. */
  readonly sick: number;
  /** Of all that happened, in order: equal for equal seeds. */
  readonly digest: string;
}

interface Request {
  readonly startMs: number;
  /** Every host that was chosen for it, in order. */
  readonly picked: Host[];
}

/**
 * One simulated world: clients, the proxy, and upstreams that come and go, fail, hang and recover,
 * all drawn from one seed. What must never happen is checked as it would happen, and throws.
 */
export class World {
  readonly #draws: Draws;
  readonly #clock = new SimClock(1_700_000_000_000);
  readonly #open = new Set<SimSocket>();
  readonly #upstreams = new Map<number, SimUpstream>();
  readonly #proxy: SimProxy;
  readonly #terminal: TerminalFilter;
  readonly #connections = new Set<OpenConnection>();
  readonly #requests = new Map<string, Request>();
  readonly #clients = new Set<SimClient>();
  readonly #answers: Record<number, number> = {};
  readonly #digest = createHash("sha256");
  #assigned = new Map<number, EdsHealth>();
  /** The active one. */
  #cluster: Cluster | undefined = undefined;
  #requestsTotal = 0;
  #arrivals = 0;
  #sick = 0;
  #isOver = false;
  #failure: Error | undefined = undefined;

  constructor(seed: number) {
    const prng = createPrng(seed);
    this.#draws = new Draws(prng);
    this.#proxy = createSimProxy(this.#clock, prng);
    const wires = { clock: this.#clock, open: this.#open };
    const onArrival = (upstream: SimUpstream, number: string): void =>
      this.#onArrival(upstream, number);
    for (let at = 0; at < this.#draws.between(1, 8); at++) {
      const port = FIRST_PORT + at;
      this.#upstreams.set(port, new SimUpstream(port, this.#clock, onArrival));
    }
    const onConnect = (owner: object): void => this.#onConnect(owner);
    enterNetwork({ wires, upstreams: this.#upstreams, onConnect });
    this.#proxy.clusters.setOnChange(() => this.#watchCluster());
    this.#proxy.clusters.put(drawCluster(this.#draws), true);
    this.#assign();
    const [chain] = drawListener(this.#draws).chains;
    if (chain === undefined) throw new Error("the listener has no chain");
    this.#terminal = chain.terminal.create(this.#proxy.deps);
  }

  /** Lives through everything; rejects with the first thing that must not happen. */
  async run(): Promise<Report> {
    // Nobody listens before the first round of health checks is over.
    await this.#clock.advance(WARM_MS);
    for (let client = this.#draws.between(1, 12); client > 0; client--) this.#connect();
    for (let step = 0; step < STEPS; step++) {
      this.#happen();
      await this.#clock.advance(STEP_MS);
      this.#check();
    }
    this.#isOver = true;
    await this.#clock.advance(REQUEST_MS + SLACK_MS);
    await this.#end();
    enterNetwork(undefined);
    return {
      answers: this.#answers,
      requests: this.#requestsTotal,
      arrivals: this.#arrivals,
      sick: this.#sick,
      ejections: this.#outlierCounter("ejections_enforced_total"),
      digest: this.#digest.digest("hex"),
    };
  }

  #note(...what: readonly (string | number)[]): void {
    this.#digest.update(`${this.#clock.monotonicMs()} ${what.join(" ")}\n`);
  }

  /** The first thing that is wrong counts; the rest follows from it. */
  #mustBe(isTrue: boolean, what: () => string): void {
    if (!isTrue) this.#failure ??= new Error(`at ${this.#clock.monotonicMs()} ms: ${what()}`);
  }

  /** Something changes in the world. */
  #happen(): void {
    const draws = this.#draws;
    const upstream = draws.oneOf([...this.#upstreams.values()]);
    if (draws.chance(0.3)) upstream.behaviour = drawBehaviour(draws);
    if (draws.chance(0.15)) this.#assign();
    if (draws.chance(0.02)) {
      this.#proxy.clusters.put(drawCluster(draws), true);
      this.#assign();
    }
    if (draws.chance(0.1)) this.#connect();
    for (const client of this.#clients) {
      if (!client.isClosed && draws.chance(0.01)) client.leave();
    }
  }

  #assign(): void {
    const assignment: Assignment = drawAssignment(this.#draws, [...this.#upstreams.keys()]);
    this.#assigned = new Map(assignment.endpoints.map(({ port, health }) => [port, health]));
    this.#note("assign", ...this.#assigned.keys());
    this.#proxy.clusters.assign(assignment);
  }

  /** Looks at every choice of the cluster that serves from now on. */
  #watchCluster(): void {
    const cluster = this.#proxy.clusters.find("c");
    if (cluster === undefined || cluster === this.#cluster) return;
    this.#cluster = cluster;
    const pick = cluster.pick.bind(cluster);
    cluster.pick = (context) => {
      const host = pick(context);
      if (host !== undefined) this.#onPick(cluster, host, context);
      return host;
    };
  }

  #onPick(cluster: Cluster, host: Host, context: PickContext | undefined): void {
    const number = context?.requestHeader("x-request") ?? "";
    this.#note("pick", number, host.port);
    this.#requests.get(number)?.picked.push(host);
    const health = this.#assigned.get(host.port);
    const isKept = health !== undefined || host.hasFlag(HEALTH_FLAG.pendingDynamicRemoval);
    this.#mustBe(isKept, () => `chose ${host.key}, which was removed`);
    this.#mustBe(!host.isRemoved, () => `chose the old host of ${host.key}`);
    // In panic health does not count.
    if (cluster.config.lb.panicPercent > 0) return;
    const isUsable = health === undefined || !UNUSABLE.has(health);
    this.#mustBe(isUsable, () => `chose ${host.key}, which is ${health}`);
    const isEjected = host.hasFlag(HEALTH_FLAG.failedOutlierCheck);
    this.#mustBe(!isEjected, () => `chose ${host.key}, which is ejected`);
    const isFailed = host.hasFlag(HEALTH_FLAG.failedActiveHc);
    this.#mustBe(!isFailed, () => `chose ${host.key}, which failed its health checks`);
  }

  /** A host without any connection may make one in any case. */
  #onConnect(owner: object): void {
    if (!(owner instanceof UpstreamLine)) return;
    const { host, priority } = owner;
    if (host.activeConnections === 0) return;
    const { connections, limits } = host.load.breakers[priority];
    const isAllowed = connections < limits.connectionsMax;
    this.#mustBe(isAllowed, () => `a connection more than ${connections}`);
  }

  #onArrival(upstream: SimUpstream, number: string): void {
    if (number === "") return;
    this.#arrivals++;
    this.#note("arrival", number, upstream.port);
    const picked = this.#requests.get(number)?.picked.at(-1);
    const isChosen = picked?.port === upstream.port;
    this.#mustBe(isChosen, () => `request ${number} reached ${upstream.port}, not ${picked?.key}`);
    this.#check();
  }

  /** Limits hold at every moment, for every cluster that still has something open. */
  #check(): void {
    const cluster = this.#cluster;
    if (cluster === undefined) throw new Error("no cluster serves");
    const { breakers } = cluster.load;
    for (const { limits, requests, pending, connections, retries } of breakers) {
      const { requestsMax, pendingMax, retryBudget, retriesMax } = limits;
      this.#mustBe(requests >= 0 && requests <= requestsMax, () => `${requests} requests`);
      this.#mustBe(pending >= 0 && pending <= pendingMax, () => `${pending} requests wait`);
      this.#mustBe(connections >= 0, () => `${connections} connections`);
      const isBounded = retryBudget !== undefined || retries <= retriesMax;
      this.#mustBe(retries >= 0 && isBounded, () => `${retries} retries`);
    }
    const ejected = cluster.hosts.filter((host) =>
      host.hasFlag(HEALTH_FLAG.failedOutlierCheck),
    ).length;
    const counted = this.#outlierCounter("ejections_active");
    this.#mustBe(ejected === counted, () => `${ejected} are ejected, ${counted} are counted`);
    for (const host of cluster.hosts) {
      if (host.hasFlag(HEALTH_FLAG.failedActiveHc)) this.#sick++;
      const most = Math.max(1, host.load.breakers[0].limits.hostConnectionsMax);
      const { activeConnections } = host;
      this.#mustBe(activeConnections <= most, () => `${activeConnections} to ${host.key}`);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #outlierCounter(name: "ejections_active" | "ejections_enforced_total"): number {
    return this.#cluster?.load.outlier?.counters[name] ?? 0;
  }

  #connect(): void {
    const wires = { clock: this.#clock, open: this.#open };
    const { client, connection } = connectClient(this.#proxy, this.#terminal, wires, {
      onAnswer: (from, answer) => this.#onAnswer(from, answer),
      onEnd: (ended) => this.#connections.delete(ended),
    });
    this.#connections.add(connection);
    this.#clients.add(client);
    this.#sendSoon(client);
  }

  #sendSoon(client: SimClient): void {
    this.#clock.setTimer(this.#draws.prng.next() * PAUSE_MS, () => {
      if (this.#isOver || client.isClosed) return;
      const number = String(++this.#requestsTotal);
      this.#requests.set(number, { startMs: this.#clock.monotonicMs(), picked: [] });
      client.send(number, "", this.#draws.chance(0.2) ? "body" : "");
    });
  }

  #onAnswer(client: SimClient, { number, status }: Answer): void {
    this.#note("answer", number, status);
    this.#answers[status] = (this.#answers[status] ?? 0) + 1;
    const request = this.#requests.get(number);
    this.#requests.delete(number);
    const tookMs = this.#clock.monotonicMs() - (request?.startMs ?? 0);
    const isInTime = request !== undefined && tookMs <= REQUEST_MS + SLACK_MS;
    this.#mustBe(isInTime, () => `request ${number} was answered after ${tookMs} ms`);
    if (client.isClosed) this.#clients.delete(client);
    else this.#sendSoon(client);
  }

  /** When all is over nothing is left: no request, no connection, no count, no timer. */
  async #end(): Promise<void> {
    const cluster = this.#cluster;
    if (cluster === undefined) return;
    const unanswered = [...this.#requests.keys()];
    this.#mustBe(unanswered.length === 0, () => `no answer to ${unanswered.join(", ")}`);
    for (const { requests, pending, retries } of cluster.load.breakers) {
      const counts = [requests, pending, retries];
      this.#mustBe(
        counts.every((count) => count === 0),
        () => `still counted: ${counts.join()}`,
      );
    }
    for (const { key, activeRequests } of cluster.hosts) {
      this.#mustBe(activeRequests === 0, () => `${activeRequests} requests at ${key}`);
    }
    this.#proxy.clusters.close();
    for (const connection of this.#connections) connection.destroy();
    await this.#clock.advance(AFTERLIFE_MS);
    const ejected = this.#outlierCounter("ejections_active");
    this.#mustBe(ejected === 0, () => `${ejected} ejected hosts are counted`);
    this.#mustBe(this.#open.size === 0, () => `${this.#open.size} connections are left`);
    this.#mustBe(this.#connections.size === 0, () => "clients are left");
    const { connections } = cluster.load;
    this.#mustBe(connections === 0, () => `${connections} connections are counted`);
    const { timersPending } = this.#clock;
    this.#mustBe(timersPending === 0, () => `${timersPending} timers are left`);
    if (this.#failure !== undefined) throw this.#failure;
  }
}
