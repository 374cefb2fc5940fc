import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentConfig } from "../../src/agent/agent-config.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createPrng } from "../../src/base/prng.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";
import {
  BOOKINFO,
  EGRESS_GATEWAY,
  egressGatewayIp,
  GATEWAY,
  gatewayHostIp,
  gatewayIp,
  gatewayLabel,
  type MeshWorld,
  SERVICE_PORT,
  type Workload,
} from "./base-mesh.ts";
import type { Origin } from "./behaviour-case.ts";
import { SEEN } from "./echo-app.ts";
import { MemorySource } from "./memory-source.ts";
import { type Answer, type Entrance, MeshClient } from "./mesh-client.ts";
import { ProxyProcess } from "./proxy-process.ts";

const PROXY_PORT = 15_002;
const GATEWAY_PORT = 8080;
const MARKER = "http://marker.test/";

/**
 * A small mesh without a runtime: the control plane in this process, an app and a sidecar for every
 * workload, a client, a gateway. Its configuration is what the last `configure` said.
 */
export class BehaviourMesh {
  readonly #block: number;
  readonly #world: MeshWorld;
  readonly #folder = mkdtempSync(join(tmpdir(), "weft-behaviour-"));
  readonly #source = new MemorySource();
  readonly #controlPlane = new ControlPlane({
    source: this.#source,
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: createPrng(1),
    log: silentLogger,
  });
  readonly #client = new MeshClient();
  readonly #proxies: ProxyProcess[] = [];
  readonly #stopApps: (() => Promise<void>)[] = [];
  #generation = 0;

  private constructor(block: number, world: MeshWorld) {
    this.#block = block;
    this.#world = world;
  }

  /** The /16 of 127.0.0.0/8 that its addresses are in. */
  get block(): number {
    return this.#block;
  }

  /** Starts one; `envoy` is the program to use in place of weft's proxy. */
  static async start(
    envoy: string | undefined,
    world: MeshWorld = BOOKINFO,
  ): Promise<BehaviourMesh> {
    const mesh = new BehaviourMesh(await freeBlock(), world);
    try {
      await mesh.#start(envoy);
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  async #start(envoy: string | undefined): Promise<void> {
    this.#source.replace(this.#documents(""));
    await this.#controlPlane.start();
    const workloads = this.#world.workloads(this.#block);
    for (const workload of workloads) this.#stopApps.push(await this.#world.startApp(workload));
    const meshed = workloads.filter(({ isNaked }) => isNaked !== true);
    const started = await Promise.allSettled([
      ...meshed.map((workload) => this.#startSidecar(envoy, workload)),
      this.#startGateway(envoy),
      ...(this.#world.hasEgressGateway === true ? [this.#startEgressGateway(envoy)] : []),
    ]);
    for (const one of started) if (one.status === "rejected") throw one.reason;
    await this.#whenConfigured();
  }

  /** From now on there is the base, and what the documents say; resolves when proxies follow it. */
  async configure(
    yaml: string,
    unready: readonly string[] = [],
    { isGatewayAsked = true }: { readonly isGatewayAsked?: boolean } = {},
  ): Promise<void> {
    this.write(yaml, unready);
    await this.#whenConfigured(isGatewayAsked);
  }

  /** As `configure`, waiting for nobody. */
  write(yaml: string, unready: readonly string[] = []): void {
    this.#generation += 1;
    this.#source.replace(this.#documents(yaml, unready));
  }

  /** Where the gateway's clients connect to. */
  get gatewayAddress(): { readonly host: string; readonly port: number } {
    return { host: gatewayHostIp(this.#block), port: GATEWAY_PORT };
  }

  /** Sends `METHOD URL` from a meshed pod through its proxy, or from outside to the gateway. */
  send(
    origin: Origin,
    line: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    return this.#client.send(line, this.#entrance(origin), headers);
  }

  /** Sends a request that changes the protocol to websocket, and a text; what comes back. */
  sendOverWebsocket(origin: Origin, url: string, text: string): Promise<string> {
    return this.#client.upgrade(url, this.#entrance(origin), text);
  }

  #entrance(origin: Origin): Entrance {
    return origin === "client"
      ? { host: this.#clientIp(), port: PROXY_PORT, isProxy: true }
      : { host: gatewayHostIp(this.#block), port: GATEWAY_PORT, isProxy: false };
  }

  /** How often apps were asked for a path, all together; for worlds whose apps listen on 9080. */
  async countTries(path: string): Promise<number> {
    const counts = this.#world
      .workloads(this.#block)
      .map(async ({ isNaked, podIp, appAddress }) => {
        const host = isNaked === true ? podIp : appAddress;
        const answer = await fetch(`http://${host}:${SERVICE_PORT}${SEEN}${path}`);
        return Number(await answer.text());
      });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  /** What proxies refused, for the message of a failed test. */
  rejections(): readonly string[] {
    return this.#controlPlane
      .status()
      .proxies.flatMap(({ proxy, rejections }) =>
        rejections.map(({ type, message }) => `${proxy} ${type}: ${message}`),
      );
  }

  async stop(): Promise<void> {
    this.#client.close();
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    await Promise.all(this.#stopApps.map((stop) => stop()));
    await this.#controlPlane.stop();
    rmSync(this.#folder, { recursive: true });
  }

  #clientIp(): string {
    const { client, workloads } = this.#world;
    const found = workloads(this.#block).find(({ app }) => app === client);
    if (found === undefined) throw new Error("there is no client");
    return found.podIp;
  }

  /**
   * Every configuration carries its number as a rule of its own, in the same route configurations
   * as the rules under test. Who answers to the newest number follows all that came with it.
   */
  #documents(yaml: string, unready: readonly string[] = []): string {
    return [
      this.#world.config(this.#block, unready),
      markerYaml(this.#generation, this.#world.anyService),
      yaml,
    ].join("\n---\n");
  }

  async #whenConfigured(isGatewayAsked = true): Promise<void> {
    const headers = { "x-generation": String(this.#generation) };
    const sidecar = { host: this.#clientIp(), port: PROXY_PORT, isProxy: true };
    const gateway = { host: gatewayIp(this.#block), port: GATEWAY_PORT, isProxy: false };
    const egress = { host: egressGatewayIp(this.#block), port: GATEWAY_PORT, isProxy: false };
    const egresses = this.#world.hasEgressGateway === true ? [egress] : [];
    for (const to of [sidecar, ...(isGatewayAsked ? [gateway] : []), ...egresses]) {
      await until(
        async () => {
          const line = `GET ${to.isProxy ? "http://marker:9080/" : MARKER}`;
          return (await this.#client.send(line, to, headers)).status === 200;
        },
        `${to.isProxy ? "the sidecar" : `the gateway ${to.host}`} to follow; refused: ${JSON.stringify(this.rejections())}`,
      );
    }
  }

  async #startSidecar(envoy: string | undefined, workload: Workload): Promise<void> {
    const { name, app, version, podIp, appAddress, labels = {} } = workload;
    await this.#startProxy(workload.envoy ?? envoy, {
      type: "sidecar",
      podName: name,
      namespace: "default",
      podIp,
      appAddress,
      serviceAccount: `bookinfo-${app}`,
      labels: { app, version, ...labels },
      hostPorts: [],
    });
  }

  async #startEgressGateway(envoy: string | undefined): Promise<void> {
    const pod = gatewayPod(EGRESS_GATEWAY, egressGatewayIp(this.#block));
    await this.#startProxy(envoy, { ...pod, hostPorts: [] });
  }

  async #startGateway(envoy: string | undefined): Promise<void> {
    await this.#startProxy(envoy, {
      ...gatewayPod(GATEWAY, gatewayIp(this.#block)),
      hostPorts: [
        {
          containerPort: GATEWAY_PORT,
          hostIp: gatewayHostIp(this.#block),
          hostPort: GATEWAY_PORT,
        },
      ],
    });
  }

  async #startProxy(envoy: string | undefined, pod: Pod): Promise<void> {
    const config: AgentConfig = {
      ...pod,
      proxy: envoy === undefined ? "weft" : "envoy",
      discoveryAddress: `127.0.0.1:${this.#controlPlane.ports.grpc}`,
      directory: this.#folder,
      adminPort: 15_000,
      healthPort: 15_021,
      logLevel: "warn",
      drainMs: 0,
    };
    this.#proxies.push(await ProxyProcess.start({ envoy, folder: this.#folder, config }));
  }
}

type Pod = Pick<
  AgentConfig,
  | "type"
  | "podName"
  | "namespace"
  | "podIp"
  | "appAddress"
  | "serviceAccount"
  | "labels"
  | "hostPorts"
>;

function gatewayPod(name: string, podIp: string): Omit<Pod, "hostPorts"> {
  return {
    type: "router",
    podName: name,
    namespace: "istio-system",
    podIp,
    serviceAccount: name,
    labels: { app: name, istio: gatewayLabel(name) },
  };
}

function markerYaml(generation: number, { host, port }: MeshWorld["anyService"]): string {
  const route = `
  - match: [{ headers: { x-generation: { exact: "${generation}" } } }]
    route: [{ destination: { host: ${host}, port: { number: ${port} } } }]`;
  return `
apiVersion: v1
kind: Service
metadata: { name: marker, namespace: default }
spec: { clusterIP: 10.96.1.4, selector: { app: marker }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: marker, namespace: istio-system }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: ${GATEWAY_PORT}, name: http-marker, protocol: HTTP }, hosts: [marker.test] }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: marker-egress, namespace: istio-system }
spec:
  selector: { istio: egressgateway }
  servers: [{ port: { number: ${GATEWAY_PORT}, name: http-marker, protocol: HTTP }, hosts: [marker.test] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: marker-sidecar, namespace: istio-system }
spec:
  hosts: [marker.default.svc.cluster.local]
  http:${route}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: marker-gateway, namespace: istio-system }
spec:
  hosts: [marker.test]
  gateways: [istio-system/marker, istio-system/marker-egress]
  http:${route}
`;
}

/** Above the networks that `weft up` takes, which other tests start at the same time. */
const BLOCK_FIRST = 130;
const BLOCKS = 100;

/** The second number of a /16 of 127.0.0.0/8 that nobody uses; test files run side by side. */
async function freeBlock(): Promise<number> {
  for (let tried = 0; tried < BLOCKS; tried++) {
    const block = BLOCK_FIRST + ((process.pid + tried) % BLOCKS);
    if (await canListen(gatewayIp(block), GATEWAY_PORT)) return block;
  }
  throw new Error("no block of loopback addresses is free");
}

function canListen(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
