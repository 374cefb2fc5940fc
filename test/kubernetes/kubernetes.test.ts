/** `weft pilot` on a real Kubernetes API server, from before Istio's kinds are known to it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ResourceKind } from "../../src/xds/snapshot.ts";
import { AdsClient } from "../controlplane/ads-client.ts";
import { PilotProcess } from "../controlplane/pilot-process.ts";
import { until } from "../controlplane/until.ts";
import { findKubernetes } from "../programs.ts";
import { KubeCluster, START_HOOK } from "./kube-cluster.ts";
import { shopYaml } from "./mesh-yaml.ts";

const script = findKubernetes();
const RBAC = join(import.meta.dirname, "../../samples/kubernetes/pilot-rbac.yaml");
const SIDECAR = "sidecar~127.9.9.9~client.shop~shop.svc.cluster.local";
const KINDS: readonly ResourceKind[] = ["cluster", "endpoint", "listener", "route"];

describe.skipIf(script === undefined)("a real Kubernetes API", { timeout: 120_000 }, () => {
  let cluster: KubeCluster;
  let home: string;
  const pilots: PilotProcess[] = [];
  const clients: AdsClient[] = [];

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "weft-home-"));
    cluster = await KubeCluster.start(script ?? "");
  }, START_HOOK);

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const pilot of pilots.splice(0)) await pilot.stop("SIGKILL");
  });

  afterAll(async () => {
    await cluster?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  function pilot(
    args: readonly string[] = ["--kubeconfig", cluster.kubeconfig],
    ownHome = home,
  ): PilotProcess {
    const addrs = ["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
    const started = new PilotProcess([...args, "--home", ownHome, ...addrs]);
    pilots.push(started);
    return started;
  }

  async function client(of: PilotProcess): Promise<AdsClient> {
    const connected = new AdsClient(await of.grpcPort());
    clients.push(connected);
    return connected;
  }

  /** Everything that a sidecar in `shop` gets of a control plane, as bytes, by kind and version. */
  async function resourcesOf(of: PilotProcess): Promise<Record<string, unknown>> {
    const ads = await client(of);
    const found: Record<string, unknown> = {};
    for (const kind of KINDS) {
      const wanted = kind === "endpoint" ? ENDPOINTS : kind === "route" ? ["8080"] : [];
      ads.ask(kind, wanted, SIDECAR);
      const { resources, versionInfo, typeUrl, nonce } = await ads.response(kind);
      ads.send({ typeUrl, resourceNames: wanted, versionInfo, responseNonce: nonce });
      found[kind] = resources.map(({ value }) => Buffer.from(value).toString("base64")).sort();
      found[`${kind} version`] = versionInfo;
    }
    return found;
  }

  test("kinds that are not installed are followed once they are", async () => {
    const one = pilot();
    await one.says(/virtualservices\.networking\.istio\.io is not installed/);
    await one.says(/following https:/);
    expect(await one.get("/ready")).toBe("ready\n");
    await cluster.installMesh();
    await cluster.kubectl("create", "namespace", "shop");
    await cluster.apply(shopYaml("shop"));
    const has = async (text: string): Promise<boolean> =>
      (await one.get("/debug/configz")).includes(text);
    await until(() => has('"VirtualService"'), "the VirtualServices", 30_000);
    await until(() => has('"DestinationRule"'), "the DestinationRules", 30_000);
    await one.says(/over: virtualservices\.networking\.istio\.io is not installed/);
    expect(await one.stop()).toBe(0);
  });

  test("the same objects give the same resources as a folder, byte for byte", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-mesh-"));
    try {
      const kinds = "services,endpointslices,virtualservices,destinationrules";
      const objects = await cluster.kubectl("get", kinds, "-A", "-o", "json");
      writeFileSync(join(folder, "objects.json"), objects);
      const names = await cluster.kubectl("get", "namespaces", "-o", "json");
      writeFileSync(join(folder, "namespaces.json"), names);
      const ofCluster = await resourcesOf(pilot());
      const ofFolder = await resourcesOf(pilot(["--config-dir", folder]));
      expect(ofCluster).toEqual(ofFolder);
      expect((ofCluster["cluster"] as string[]).length).toBeGreaterThan(4);
      expect((ofCluster["endpoint"] as string[]).length).toBe(ENDPOINTS.length);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("changes and deletions arrive", async () => {
    const one = pilot();
    const route = async (): Promise<string> => one.get("/debug/configz");
    await until(async () => (await route()).includes('"3s"'), "the timeout");
    const patch = JSON.stringify([{ op: "replace", path: "/spec/http/1/timeout", value: "7s" }]);
    await cluster.kubectl("patch", "vs", "cart", "-n", "shop", "--type=json", "-p", patch);
    await until(async () => (await route()).includes('"7s"'), "the change");
    await cluster.kubectl("delete", "vs", "cart", "-n", "shop");
    await until(async () => !(await route()).includes('"7s"'), "the deletion");
    const services = async (): Promise<string> => one.get("/debug/registryz");
    expect(await services()).toContain("ledger.shop.svc.cluster.local");
    await cluster.kubectl("delete", "svc", "ledger", "-n", "shop");
    await until(async () => !(await services()).includes("ledger.shop"), "the Service to go");
  });

  test("an account that may not read something is told the rule, and served once it may", async () => {
    const whole = readFileSync(RBAC, "utf8");
    await cluster.apply(whole.replace("endpoints, pods]", "endpoints]"));
    const kubeconfig = await cluster.kubeconfigFor("istio-system", "weft-pilot");
    // Where nothing was kept: that would stand in for what may not be read.
    const empty = join(home, "empty");
    const one = pilot(["--kubeconfig", kubeconfig], empty);
    await one.says(
      /may not list and watch pods in all namespaces: give the account a ClusterRole with apiGroups \[""\], resources \["pods"\], verbs \["list", "watch"\]/,
    );
    // What it has of the rest would send traffic nowhere: it waits.
    expect(one.stderr).not.toMatch(/following/);
    await cluster.apply(whole);
    await one.says(/following https:/);
    await one.says(/over: may not list and watch pods/);
    expect(one.stderr).not.toMatch(/may not (?!list and watch pods)/);
  });
});

const ENDPOINTS = ["cart", "ledger"].flatMap((name) => [
  `outbound|8080||${name}.shop.svc.cluster.local`,
  `outbound|9000||${name}.shop.svc.cluster.local`,
]);
