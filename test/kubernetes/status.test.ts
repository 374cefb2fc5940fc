/** `status` of objects, as kubectl shows it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import { loadKubeconfig } from "../../src/source/kubernetes-access.ts";
import { KubernetesSource } from "../../src/source/kubernetes-source.ts";
import type { ConfigBatch, StatusChange } from "../../src/source/source.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { MetricRegistry } from "../../src/telemetry/metrics.ts";
import { until } from "../controlplane/until.ts";
import { findKubernetes } from "../programs.ts";
import { KubeCluster, START_HOOK } from "./kube-cluster.ts";
import { reviewsRoute } from "./mesh-yaml.ts";

const script = findKubernetes();

const GROUP = "networking.istio.io";
const KEY = { group: GROUP, kind: "VirtualService", namespace: "status", name: "reviews" };

/** The lease holds for 15 s. */
const TAKEOVER_MS_MAX = 25_000;

/** One control plane's source, as far as it writes. */
class Writer {
  readonly metrics = new MetricRegistry();
  readonly batches: ConfigBatch[] = [];
  readonly source: KubernetesSource;
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;

  constructor(kubeconfig: string, identity: string) {
    this.source = new KubernetesSource({
      access: loadKubeconfig({ file: kubeconfig }, nodeClock),
      kinds: [{ group: GROUP, kind: "VirtualService" }],
      clock: nodeClock,
      prng: nodePrng,
      log: silentLogger,
      metrics: this.metrics,
      identity,
      leaseNamespace: "istio-system",
    });
    this.#ended = this.source.run((batch) => this.batches.push(batch), this.#controller.signal);
  }

  async write(message: string, status: "True" | "False" = "True"): Promise<void> {
    const change: StatusChange = {
      key: KEY,
      conditions: [{ type: "Distributed", status, reason: "Test", message }],
      validationMessages: [],
    };
    await this.source.writeStatus(change, this.#controller.signal);
  }

  get isLeader(): boolean {
    return this.metrics.value("weft_kubernetes_leader") === 1;
  }

  written(): number {
    return this.metrics.value("weft_kubernetes_status_writes", { result: "written" });
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

describe.skipIf(script === undefined)("status in a Kubernetes API", { timeout: 120_000 }, () => {
  const writers: Writer[] = [];
  let cluster: KubeCluster;

  beforeAll(async () => {
    cluster = await KubeCluster.start(script ?? "");
    await cluster.installMesh();
    await cluster.kubectl("create", "namespace", "status");
    await cluster.kubectl("create", "namespace", "istio-system");
    await cluster.apply(reviewsRoute("status", "v1"));
  }, START_HOOK);

  afterEach(async () => {
    for (const writer of writers.splice(0)) await writer.stop();
  });

  afterAll(() => cluster?.stop());

  function writer(identity: string): Writer {
    const created = new Writer(cluster.kubeconfig, identity);
    writers.push(created);
    return created;
  }

  async function conditions(): Promise<readonly Condition[]> {
    const args = ["get", "vs", "reviews", "-n", "status", "-o", "jsonpath={.status.conditions}"];
    const text = await cluster.kubectl(...args);
    return text === "" ? [] : (JSON.parse(text) as Condition[]);
  }

  const says = async (message: string): Promise<boolean> =>
    (await conditions()).some((one) => one.type === "Distributed" && one.message === message);

  test("conditions are written where they differ, beside others'", async () => {
    const foreign = {
      type: "Ready",
      status: "True",
      reason: "Other",
      message: "somebody else's",
      lastTransitionTime: "2020-01-01T00:00:00Z",
    };
    const patch = JSON.stringify({ status: { conditions: [foreign] } });
    const where = ["vs", "reviews", "-n", "status", "--subresource=status", "--type=merge"];
    await cluster.kubectl("patch", ...where, "-p", patch);
    const one = writer("one");
    await until(() => one.batches.length > 0, "the first batch");
    await one.write("1/2 proxies", "False");
    await until(() => says("1/2 proxies"), "the condition");
    const [, first] = await conditions();
    expect(await conditions()).toEqual([
      foreign,
      expect.objectContaining({ type: "Distributed", status: "False", reason: "Test" }),
    ]);

    await one.write("0/2 proxies", "False");
    await until(() => says("0/2 proxies"), "the message");
    expect((await conditions())[1]?.lastTransitionTime).toBe(first?.lastTransitionTime);
    const before = one.written();
    await one.write("0/2 proxies", "False");
    expect(one.written()).toBe(before);

    // Nothing of the mesh has changed by all that.
    expect(one.batches.flatMap(({ events }) => events)).toHaveLength(1);
  });

  test("an object that somebody changed meanwhile is looked at once more", async () => {
    const one = writer("one");
    await until(() => one.batches.length > 0, "the first batch");
    await one.write("leads");
    await until(() => one.isLeader && one.written() > 0, "it to lead", TAKEOVER_MS_MAX);
    for (let round = 0; round < 5; round++) {
      const labels = ["label", "vs", "reviews", "-n", "status", "--overwrite", `round=${round}`];
      await Promise.all([cluster.kubectl(...labels), one.write(`round ${round}`)]);
      await one.write(`round ${round} over`);
      expect(await says(`round ${round} over`)).toBe(true);
    }
  });

  test("one of two writes, the other takes over what is wanted when it dies", async () => {
    const leader = writer("leader");
    await until(() => leader.batches.length > 0, "the first batch");
    await leader.write("by the leader");
    await until(() => says("by the leader"), "the leader's word", TAKEOVER_MS_MAX);
    const second = writer("second");
    await until(() => second.batches.length > 0, "the first batch");
    await second.write("by the second");
    await leader.write("by the leader again");
    expect(await says("by the leader again")).toBe(true);
    expect(second.written()).toBe(0);
    expect(await cluster.kubectl("get", "lease", "-n", "istio-system", "-o", "name")).toContain(
      "weft-status-leader",
    );
    await leader.stop();
    await until(() => says("by the second"), "the second's word", TAKEOVER_MS_MAX);
    expect(second.written()).toBe(1);
  });

  test("an object that is gone is left alone", async () => {
    const one = writer("one");
    await until(() => one.batches.length > 0, "the first batch");
    await one.write("leads");
    await until(() => one.isLeader, "it to lead", TAKEOVER_MS_MAX);
    await cluster.kubectl("delete", "vs", "reviews", "-n", "status");
    await expect(one.write("too late")).resolves.toBeUndefined();
  });
});
