import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import type { Event } from "../../src/config/event.ts";
import type { Pod } from "../../src/config/pod.ts";
import type { Container } from "../../src/config/pod-spec.ts";
import { claimPodNetwork, type PodNetworkClaim } from "../../src/local/claim-pod-network.ts";
import { loadCatalogue } from "../../src/local/load-catalogue.ts";
import { PodNetwork } from "../../src/runtime/pod-network.ts";
import { Runtime } from "../../src/runtime/runtime.ts";
import type { SidecarLauncher } from "../../src/runtime/sidecar-launcher.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";

/** A server that tells the order file of its start and end, and says where it listens. */
export const SERVER = `
const { appendFileSync } = require("node:fs");
const note = (what) => process.env.ORDER && appendFileSync(process.env.ORDER, what + "\\n");
require("node:http").createServer((request, response) => {
  if (request.url === "/die") process.exit(3);
  response.end(JSON.stringify(process.env));
}).listen(process.env.PORT, process.env.WEFT_BIND, () => { note("app up"); console.log("listening"); });
process.on("SIGTERM", () => { note("app down"); process.exit(0); });
`;

const SIDECAR = `
const { appendFileSync } = require("node:fs");
const [address, order] = process.argv.slice(1);
const since = Date.now();
require("node:http").createServer((request, response) => {
  response.writeHead(Date.now() - since > 300 ? 200 : 503).end();
}).listen(15021, address, () => appendFileSync(order, "sidecar up\\n"));
process.on("SIGTERM", () => { appendFileSync(order, "sidecar down\\n"); process.exit(0); });
process.on("SIGINT", () => { appendFileSync(order, "sidecar down\\n"); process.exit(0); });
`;

/** A runtime of real processes over objects in memory; close it. */
export class RuntimeFixture {
  readonly home: string;
  readonly storage: MemoryStorage;
  readonly runtime: Runtime;
  readonly orderFile: string;
  readonly catalogueFile: string;
  readonly #claim: PodNetworkClaim;

  private constructor(home: string, claim: PodNetworkClaim) {
    this.home = home;
    this.#claim = claim;
    this.orderFile = join(home, "order");
    this.catalogueFile = join(home, "catalogue.yaml");
    this.storage = new MemoryStorage({ clock: nodeClock });
    this.runtime = new Runtime({
      storage: this.storage,
      clock: nodeClock,
      prng: nodePrng,
      logger: silentLogger,
      home,
      network: new PodNetwork(claim.cidr),
      catalogue: loadCatalogue({
        files: [this.catalogueFile],
        ownFile: this.catalogueFile,
        variables: { node: process.execPath },
        logger: silentLogger,
      }),
      serverEnv: process.env,
      sidecar: this.#fakeSidecar(),
    });
  }

  static async start(): Promise<RuntimeFixture> {
    const home = mkdtempSync(join(tmpdir(), "weft-runtime-"));
    const fixture = new RuntimeFixture(home, await claimPodNetwork(home));
    await fixture.runtime.prepare();
    fixture.runtime.start();
    return fixture;
  }

  async close(): Promise<void> {
    await this.runtime.stop();
    await this.storage.close();
    await this.#claim.release();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** A pod with one app that runs `script` in Node, unless `container` says otherwise. */
  async createPod(
    name: string,
    container: Partial<Container> = {},
    spec: Partial<Pod["spec"]> = {},
  ): Promise<void> {
    const app: Container = {
      name: "app",
      command: ["node", "-e", SERVER],
      ports: [{ containerPort: 9080 }],
      env: [{ name: "ORDER", value: this.orderFile }],
      ...container,
    };
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", labels: { app: name } },
      spec: { containers: [app], ...spec },
    };
    await this.storage.create(pod);
  }

  pod(name: string): Pod | undefined {
    const key = { group: "", kind: "Pod", namespace: "default", name };
    return this.storage.get(key) as Pod | undefined;
  }

  async deletePod(name: string): Promise<void> {
    await this.storage.delete({ group: "", kind: "Pod", namespace: "default", name });
  }

  /** Waits for a pod to be in some state, and returns it. */
  untilPod(name: string, what: string, is: (pod: Pod) => boolean): Promise<Pod> {
    return until(() => {
      const pod = this.pod(name);
      return pod !== undefined && is(pod) ? pod : undefined;
    }, `${name}: ${what}`);
  }

  untilReady(name: string): Promise<Pod> {
    return this.untilPod(name, "ready", (pod) =>
      (pod.status?.conditions ?? []).some((one) => one.type === "Ready" && one.status === "True"),
    );
  }

  /** `reason message` of what happened. */
  events(): readonly string[] {
    const events = this.storage.list({ group: "", kind: "Event" }).items as Event[];
    return events.map(({ reason, message }) => `${reason} ${message}`);
  }

  addImage(match: string, script: string, more: readonly string[] = []): void {
    const entry = { match, command: ["${node}", "-e", script, ...more] };
    writeFileSync(this.catalogueFile, JSON.stringify({ images: [entry] }));
  }

  async readLogs(name: string, options: { previous?: boolean; tailLines?: number } = {}) {
    const pod = this.pod(name);
    const log = pod === undefined ? undefined : this.runtime.readLogs(pod, options);
    if (log === undefined || !(Symbol.asyncIterator in log)) return JSON.stringify(log);
    const chunks: Uint8Array[] = [];
    for await (const chunk of log) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }

  #fakeSidecar(): SidecarLauncher {
    return {
      containerName: "istio-proxy",
      healthPort: 15021,
      healthPath: "/healthz/ready",
      drainMs: 1000,
      prepare: async ({ addresses, directory }) => ({
        command: [process.execPath, "-e", SIDECAR, addresses.podIp, this.orderFile],
        env: {},
        workingDir: directory,
      }),
    };
  }
}

/** The state of a pod's one app. */
export function appState(pod: Pod) {
  return pod.status?.containerStatuses?.find(({ name }) => name === "app");
}
