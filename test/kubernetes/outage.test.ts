/** Traffic through a real Envoy while the API server behind its control plane comes and goes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { EnvoyProcess } from "../controlplane/envoy-process.ts";
import { PilotProcess } from "../controlplane/pilot-process.ts";
import { until } from "../controlplane/until.ts";
import { get, Load, startUpstream, type Upstream } from "../controlplane/upstream.ts";
import { findKubernetes, findProgram } from "../programs.ts";
import { KubeCluster, START_HOOK } from "./kube-cluster.ts";
import { reviewsRoute, reviewsYaml } from "./mesh-yaml.ts";

const script = findKubernetes();
const program = findProgram("envoy");
const CONNECTIONS = 2;
const WAIT_MS = 40_000;

/** A part of 127.0.0.0/8 that no other test process of this machine uses. */
const subnet = `127.${100 + (process.pid % 100)}.${(process.pid >> 7) % 256}`;
const CLIENT = `${subnet}.5`;

const isThere = script !== undefined && program !== undefined;

describe.skipIf(!isThere)("a Kubernetes API that goes away", { timeout: 120_000 }, () => {
  const upstreams: Upstream[] = [];
  let cluster: KubeCluster;
  let home: string;
  let pilot: PilotProcess;
  let envoy: EnvoyProcess;

  beforeAll(async () => {
    const v1 = await startUpstream("v1", `${subnet}.11`);
    upstreams.push(v1, await startUpstream("v2", `${subnet}.12`, v1.port));
    home = mkdtempSync(join(tmpdir(), "weft-home-"));
    cluster = await KubeCluster.start(script ?? "");
    await cluster.installMesh();
    await cluster.kubectl("create", "namespace", "traffic");
    await cluster.kubectl("create", "namespace", "istio-system");
    const addresses = { v1: `${subnet}.11`, v2: `${subnet}.12`, port: v1.port };
    await cluster.apply(reviewsYaml("traffic", addresses));
  }, START_HOOK);

  beforeEach(async () => {
    await cluster.apply(reviewsRoute("traffic", "v1"));
    pilot = start();
    envoy = await EnvoyProcess.start({
      program: program ?? "",
      nodeId: `sidecar~${CLIENT}~client.traffic~traffic.svc.cluster.local`,
      metadata: { INTERCEPTION_MODE: "NONE", NAMESPACE: "traffic", CLUSTER_ID: "Kubernetes" },
      adsPort: await pilot.grpcPort(),
    });
    await answers("200 v1");
  }, 90_000);

  afterEach(async () => {
    await envoy?.stop();
    await pilot?.stop("SIGKILL");
  });

  afterAll(async () => {
    await cluster?.stop();
    for (const upstream of upstreams) await upstream.close();
    rmSync(home, { recursive: true, force: true });
  });

  function start(grpcPort = 0): PilotProcess {
    const addrs = ["--grpc-addr", `127.0.0.1:${grpcPort}`, "--http-addr", "127.0.0.1:0"];
    return new PilotProcess(["--kubeconfig", cluster.kubeconfig, "--home", home, ...addrs]);
  }

  const ask = (): Promise<string> => get(15002, { address: CLIENT, host: "reviews.mesh:9080" });

  const answers = (text: string): Promise<boolean> =>
    until(async () => (await ask()) === text, `the answer ${text}`, WAIT_MS);

  test("a change moves traffic", async () => {
    await cluster.apply(reviewsRoute("traffic", "v2"));
    await answers("200 v2");
    // What its author asks for, with the cluster's own program.
    for (const condition of ["Reconciled", "Distributed"]) {
      const wait = ["wait", `--for=condition=${condition}`, "vs/reviews", "-n", "traffic"];
      expect(await cluster.kubectl(...wait, "--timeout=40s")).toContain("condition met");
    }
  });

  test("what is refused says so in its own status, and its last good version serves", async () => {
    const bad = (name: string): string =>
      reviewsRoute("traffic", "v2", name).replace("route:", "route:\n    - destination: {host: a}");
    const says = (name: string, text: string): Promise<boolean> =>
      until(
        async () => {
          const path = "jsonpath={.status.conditions[?(@.type=='Reconciled')]}";
          const found = await cluster.kubectl("get", "vs", name, "-n", "traffic", "-o", path);
          return found.includes('"status":"False"') && found.includes(text);
        },
        `${name} to say ${text}`,
        WAIT_MS,
      );
    await cluster.apply(bad("reviews"));
    await says("reviews", "the weights of several destinations must not all be 0; the last good");
    await answers("200 v1");
    await cluster.apply(bad("never-good"));
    await says("never-good", "must not all be 0; it is not in use");
    await cluster.kubectl("delete", "vs", "never-good", "-n", "traffic");
    await cluster.apply(reviewsRoute("traffic", "v2"));
    await answers("200 v2");
    expect(pilot.stderr).toMatch(/Resolved: VirtualService\/traffic\/reviews: spec\.http/);
  });

  test("nothing is lost while it is away, and what changed then arrives", async () => {
    await cluster.apply(reviewsRoute("traffic", "v2", "later"));
    const load = new Load(ask, CONNECTIONS);
    const { revive } = await cluster.killApiServer();
    await pilot.says(/cannot reach https:/);
    await answers("200 v1");
    await revive();
    // The older of the two goes: what its control plane did not see happen.
    await cluster.kubectl("delete", "vs", "reviews", "-n", "traffic");
    await answers("200 v2");
    await pilot.says(/over: cannot reach https:/);
    await load.stop();
    expect([...load.answers.keys()].sort()).toEqual(["200 v1", "200 v2"]);
    await cluster.kubectl("delete", "vs", "later", "-n", "traffic");
  });

  test("what was forgotten of the past is listed again, with what is gone by now", async () => {
    const lists = async (): Promise<number> => {
      const text = await pilot.get("/metrics");
      return Number(/weft_kubernetes_lists\{type="VirtualService"\} (\d+)/.exec(text)?.[1]);
    };
    const before = await lists();
    await cluster.apply(reviewsRoute("traffic", "v2", "later"));
    pilot.signal("SIGSTOP");
    try {
      const { revive } = await cluster.killApiServer();
      await revive();
      await cluster.kubectl("delete", "vs", "reviews", "-n", "traffic");
      await cluster.compact();
    } finally {
      pilot.signal("SIGCONT");
    }
    await answers("200 v2");
    expect(await lists()).toBeGreaterThan(before);
    await cluster.kubectl("delete", "vs", "later", "-n", "traffic");
  });

  test("a control plane that starts meanwhile serves what was last good", async () => {
    // On disk a while after it was read.
    await until(async () => (await pilot.stop()) === 0, "the pilot to end");
    const { revive } = await cluster.killApiServer();
    const load = new Load(ask, CONNECTIONS);
    pilot = start();
    await pilot.says(/serving what was last good/);
    await pilot.says(/following https:/);
    const second = await EnvoyProcess.start({
      program: program ?? "",
      nodeId: `sidecar~${subnet}.6~other.traffic~traffic.svc.cluster.local`,
      metadata: { INTERCEPTION_MODE: "NONE", NAMESPACE: "traffic", CLUSTER_ID: "Kubernetes" },
      adsPort: await pilot.grpcPort(),
    });
    try {
      const other = (): Promise<string> =>
        get(15002, { address: `${subnet}.6`, host: "reviews.mesh:9080" });
      await until(async () => (await other()) === "200 v1", "the last good route", WAIT_MS);
      await revive();
      await cluster.apply(reviewsRoute("traffic", "v2"));
      await until(async () => (await other()) === "200 v2", "the change", WAIT_MS);
    } finally {
      await second.stop();
    }
    await load.stop();
    expect([...load.answers.keys()]).toEqual(["200 v1"]);
  });
});
