import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeClock } from "../../../src/base/node-clock.ts";
import { createPrng } from "../../../src/base/prng.ts";
import { ControlPlane } from "../../../src/controlplane/control-plane.ts";
import { type Logger, silentLogger } from "../../../src/telemetry/log.ts";
import { ProxyProcess } from "../../behaviour/proxy-process.ts";
import { FaultLink } from "../fault-link.ts";
import { freeSubnet } from "../loopback-block.ts";
import { startNamedApp } from "../named-app.ts";
import type { Planes } from "../planes.ts";
import { sidecarConfig } from "../sidecar-config.ts";
import { TextSource } from "../text-source.ts";
import { ChurnLoad } from "./churn-load.ts";
import { objectsOf, podIp, SERVICE_PORT } from "./churn-objects.ts";
import { type ChurnState, HOSTS, START_STATE, VERSIONS } from "./churn-state.ts";
import { StateWindow } from "./state-window.ts";

/** How long the proxies may take to acknowledge everything. */
const SETTLE_MS_MAX = 30_000;

/** Most errors that are kept. */
const ERRORS_MAX = 10;

/** An address that no endpoint has: waiting until it is unused waits for all that is on its way. */
const NOBODY = "192.0.2.1";

/** What a mesh for churn is made of. */
export interface ChurnMeshOptions {
  readonly planes: Planes;
  /** How long each message between control plane and proxies takes; what races has time to. */
  readonly delayMs: number;
  /** Of each plane. */
  readonly connections: number;
  readonly perSecond: number;
}

/** A control plane in this process, an app for every version of a host, a loaded proxy per plane. */
export class ChurnMesh {
  readonly window = new StateWindow(START_STATE);
  /** What the control plane logged as an error: bugs that it survived. */
  readonly errors: string[] = [];
  readonly #subnet: string;
  readonly #options: ChurnMeshOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), "weft-churn-"));
  readonly #source = new TextSource();
  readonly #controlPlane = new ControlPlane({
    source: this.#source,
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: createPrng(1),
    log: this.#logger(),
  });
  readonly #proxies: ProxyProcess[] = [];
  readonly #stopApps: (() => Promise<void>)[] = [];
  #loads: readonly ChurnLoad[] = [];
  #link: FaultLink | undefined;

  private constructor(subnet: string, options: ChurnMeshOptions) {
    this.#subnet = subnet;
    this.#options = options;
  }

  static async start(options: ChurnMeshOptions): Promise<ChurnMesh> {
    const mesh = new ChurnMesh(await freeSubnet(), options);
    try {
      await mesh.#start();
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    this.#source.replace(objectsOf(START_STATE, this.#subnet));
    await this.#controlPlane.start();
    for (const host of HOSTS) {
      for (const version of VERSIONS) {
        const ip = podIp(this.#subnet, host, version);
        this.#stopApps.push(await startNamedApp(`${host}-${version}`, ip, SERVICE_PORT));
      }
    }
    const { planes, delayMs, connections, perSecond } = this.#options;
    this.#link = await FaultLink.start(this.#controlPlane.ports.grpc);
    this.#link.delay(delayMs);
    const discoveryAddress = `127.0.0.1:${this.#link.port}`;
    const loads: ChurnLoad[] = [];
    for (const [at, [plane, { envoy, variant }]] of Object.entries(planes).entries()) {
      const ip = `${this.#subnet}.${10 + at}`;
      const config = sidecarConfig({
        name: plane,
        ip,
        envoy,
        discoveryAddress,
        folder: this.#folder,
      });
      this.#proxies.push(
        await ProxyProcess.start({ envoy, folder: this.#folder, config, variant }),
      );
    }
    await this.settled();
    for (const [at, plane] of Object.keys(planes).entries()) {
      const ip = `${this.#subnet}.${10 + at}`;
      const prng = createPrng(at);
      const load = new ChurnLoad({
        plane,
        podIp: ip,
        connections,
        perSecond,
        prng,
        window: this.window,
      });
      loads.push(load);
    }
    this.#loads = loads;
  }

  /** Writes a state, as one batch. */
  write(state: ChurnState): void {
    this.window.push(state);
    this.#source.replace(objectsOf(state, this.#subnet));
  }

  /** Resolves when every proxy has acknowledged all that was written. */
  async settled(): Promise<void> {
    const signal = AbortSignal.timeout(SETTLE_MS_MAX);
    await this.#controlPlane.whenUnused(NOBODY, signal);
    if (signal.aborted) throw new Error(`proxies did not settle in ${SETTLE_MS_MAX} ms`);
    this.window.settle();
  }

  /** Asks every proxy once for everything there is. */
  async askForAll(): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.askForAll()));
  }

  #logger(): Logger {
    const note = (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      if (this.errors.length < ERRORS_MAX) this.errors.push(`${message} ${JSON.stringify(fields)}`);
    };
    return { ...silentLogger, error: note, scope: () => this.#logger() };
  }

  /** How often a step went on without the client's answer; 0 when all went well. */
  get waitsExpired(): number {
    const stages = ["make", "switch", "break"];
    return stages.reduce(
      (sum, stage) => sum + this.#controlPlane.metrics.value("weft_xds_wait_expired", { stage }),
      0,
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.stop()));
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    await Promise.all(this.#stopApps.map((stop) => stop()));
    await this.#link?.stop();
    await this.#controlPlane.stop();
    rmSync(this.#folder, { recursive: true });
  }
}
