import { fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ListenerSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { formatIssue, type Result } from "../../src/base/issue.ts";
import { createPrng } from "../../src/base/prng.ts";
import { SimClock } from "../../src/base/sim-clock.ts";
import { decodeCluster } from "../../src/proxy/decode/cluster.ts";
import { decodeListener } from "../../src/proxy/decode/listener.ts";
import { EXTENSION_TYPES } from "../../src/proxy/extension-types.ts";
import type { TerminalFilter } from "../../src/proxy/network-filter/network-filter.ts";
import { clusterStats } from "../../src/proxy/stats/cluster-stats.ts";
import { headerOf } from "../sim/behaviour.ts";
import type { Answer } from "../sim/sim-client.ts";
import { enterNetwork } from "../sim/sim-network.ts";
import { connectClient, createSimProxy, type SimProxy } from "../sim/sim-proxy.ts";
import type { SimSocket } from "../sim/sim-socket.ts";
import { SimUpstream } from "../sim/sim-upstream.ts";
import {
  configure,
  describeAnswer,
  type Outcome,
  type Scenario,
  type Step,
  UPSTREAM_HEADER,
} from "./scenario.ts";

const NAME = "c";
const FIRST_PORT = 20_001;
/** Time goes on in such steps while an answer is waited for. */
const STEP_MS = 1;
const ANSWER_MS_MAX = 60_000;
/** Access logs are written within this. */
const LOG_MS = 1000;

function taken<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.issues.map(formatIssue).join("\n"));
}

/** A scenario on weft's proxy, with servers, clients and time that exist in memory only. */
class Stage {
  readonly #clock = new SimClock(1_700_000_000_000);
  readonly #wires = { clock: this.#clock, open: new Set<SimSocket>() };
  readonly #upstreams: readonly SimUpstream[];
  readonly #proxy: SimProxy;
  readonly #terminal: TerminalFilter;
  #log = "";
  #sent = 0;
  readonly #answers = new Map<string, Answer>();

  constructor(scenario: Scenario) {
    this.#upstreams = scenario.upstreams.map((_, at) => {
      const headers = { [UPSTREAM_HEADER]: String(at) };
      return new SimUpstream(FIRST_PORT + at, this.#clock, () => undefined, headers);
    });
    for (const [at, { behaviour }] of scenario.upstreams.entries()) this.#become(at, behaviour);
    const upstreams = new Map(this.#upstreams.map((one) => [one.port, one]));
    enterNetwork({ wires: this.#wires, upstreams });
    this.#proxy = createSimProxy(this.#clock, createPrng(1), (_stream, text) => {
      this.#log += text;
    });
    const { listener, cluster } = configure(scenario, {
      name: NAME,
      port: 1,
      upstreamPorts: [...upstreams.keys()],
      logPath: "/dev/stdout",
    });
    this.#proxy.clusters.put(decodeClusterJson(cluster), false);
    const message = fromJson(ListenerSchema, listener, { registry: EXTENSION_TYPES });
    const [chain] = taken(decodeListener(message, toBinary(ListenerSchema, message))).chains;
    if (chain === undefined) throw new Error("the listener has no chain");
    this.#terminal = chain.terminal.create(this.#proxy.deps);
  }

  #become(at: number, behaviour: Scenario["upstreams"][number]["behaviour"]): void {
    const upstream = this.#upstreams[at];
    if (upstream !== undefined) upstream.behaviour = behaviour ?? {};
  }

  /** A cluster serves when the first round of its health checks is over. */
  async warm(): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + ANSWER_MS_MAX;
    while (this.#proxy.clusters.find(NAME) === undefined) {
      if (this.#clock.monotonicMs() > untilMs) throw new Error("the cluster is never ready");
      await this.#clock.advance(STEP_MS);
    }
  }

  async play(step: Step): Promise<void> {
    if (step.kind === "wait") return this.#clock.advance(step.ms);
    if (step.kind === "become") return this.#become(step.upstream, step.behaviour);
    const lines = Object.entries(step.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    for (let sent = 0; sent < step.count; sent++) {
      this.#send(lines.join(""));
      if (!step.isTogether) await this.#awaitAnswers();
    }
    await this.#awaitAnswers();
  }

  /** Each request comes on a connection of its own. */
  #send(headers: string): void {
    const number = String(this.#sent++);
    const { client } = connectClient(this.#proxy, this.#terminal, this.#wires, {
      onAnswer: (from, answer) => {
        this.#answers.set(answer.number, answer);
        from.leave();
      },
      onEnd: () => undefined,
    });
    client.send(number, headers, "");
  }

  async #awaitAnswers(): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + ANSWER_MS_MAX;
    while (this.#answers.size < this.#sent) {
      if (this.#clock.monotonicMs() > untilMs) throw new Error("a request has no answer");
      await this.#clock.advance(STEP_MS);
    }
  }

  async end(names: readonly string[]): Promise<Outcome> {
    const counters = this.#counters(names);
    await this.#clock.advance(LOG_MS);
    const lines = new Map(
      this.#log.split("\n").map((line) => {
        const [number = "", ...rest] = line.split(" ");
        return [number, rest.join(" ")];
      }),
    );
    const answers = Array.from({ length: this.#sent }, (_, at) => {
      const head = this.#answers.get(String(at))?.head ?? "";
      return describeAnswer(lines.get(String(at)) ?? "", headerOf(head, UPSTREAM_HEADER));
    });
    this.#proxy.clusters.close();
    return { answers, counters };
  }

  #counters(names: readonly string[]): Record<string, number> {
    const cluster = this.#proxy.clusters.find(NAME);
    if (cluster === undefined) throw new Error("the cluster is gone");
    const all = new Map([...clusterStats(cluster), ...this.#proxy.deps.context.counters.entries()]);
    const valueOf = (name: string): number => all.get(`cluster.${NAME}.${name}`) ?? 0;
    return Object.fromEntries(names.map((name) => [name, valueOf(name)]));
  }
}

function decodeClusterJson(json: JsonObject): Parameters<SimProxy["clusters"]["put"]>[0] {
  const message = fromJson(ClusterSchema, json, { registry: EXTENSION_TYPES });
  return taken(decodeCluster(message, toBinary(ClusterSchema, message)));
}

/** Plays a scenario in simulated time. */
export async function runSimulated(scenario: Scenario): Promise<Outcome> {
  const stage = new Stage(scenario);
  try {
    await stage.warm();
    for (const step of scenario.steps) await stage.play(step);
    return await stage.end(scenario.counters ?? []);
  } finally {
    enterNetwork(undefined);
  }
}
