import { readdirSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { ProxyProcess } from "../behaviour/proxy-process.ts";
import { MeshFolder } from "../controlplane/mesh-folder.ts";
import { PilotProcess } from "../controlplane/pilot-process.ts";
import { until } from "../controlplane/until.ts";
import { FaultLink } from "./fault-link.ts";
import { fillerYaml, generationYaml } from "./generation-yaml.ts";
import { freeSubnet } from "./loopback-block.ts";
import { startNamedApp } from "./named-app.ts";
import type { Planes } from "./planes.ts";
import { askPod, type Served } from "./served.ts";
import { sidecarConfig } from "./sidecar-config.ts";

const SERVICE_PORT = 9080;
const KIB = 1024;

/** After a fault: Envoy waits up to 30 s before it tries to connect again. */
const SERVED_MS_MAX = 45_000;

/** A row of `/debug/syncz`. */
export interface SyncRow {
  readonly proxy: string;
  readonly node_id: string;
  readonly status: Readonly<Record<string, string>>;
  readonly rejections: readonly { readonly type: string; readonly message: string }[];
}

/** What a mesh for faults is made of. */
export interface PilotMeshOptions {
  readonly planes: Planes;
  /** Services beside the one that is asked, so that a configuration has some size. */
  readonly fillers?: number;
}

/**
 * `weft pilot` as a process on a folder, and proxies that it serves through a `FaultLink`; one
 * service with the versions v1 and v2. What its routes say has a number that counts up and that
 * every answer shows, so that going back would be seen.
 */
export class PilotMesh {
  readonly folder: MeshFolder;
  readonly link: FaultLink;
  /** By plane: the pod whose proxy is asked. */
  readonly pods: ReadonlyMap<string, string>;
  pilot: PilotProcess;
  #generation = 0;
  readonly #grpcPort: number;
  readonly #stops: (() => unknown)[] = [];

  private constructor(
    options: PilotMeshOptions,
    subnet: string,
    grpcPort: number,
    link: FaultLink,
  ) {
    const ips = { v1: `${subnet}.11`, v2: `${subnet}.12`, port: SERVICE_PORT };
    this.folder = new MeshFolder(ips);
    this.folder.write("fillers.yaml", fillerYaml(options.fillers ?? 0));
    this.#grpcPort = grpcPort;
    this.link = link;
    this.pods = new Map(
      Object.keys(options.planes).map((plane, at) => [plane, `${subnet}.${20 + at}`]),
    );
    this.route("v1");
    this.pilot = this.#startPilot();
  }

  static async start(options: PilotMeshOptions): Promise<PilotMesh> {
    const [subnet, grpcPort] = [await freeSubnet(), await freePort()];
    const link = await FaultLink.start(grpcPort);
    const mesh = new PilotMesh(options, subnet, grpcPort, link);
    try {
      await mesh.#start(options, subnet);
      return mesh;
    } catch (error) {
      await mesh.stop();
      throw error;
    }
  }

  async #start({ planes }: PilotMeshOptions, subnet: string): Promise<void> {
    for (const [version, at] of [
      ["v1", 11],
      ["v2", 12],
    ] as const) {
      this.#stops.push(await startNamedApp(version, `${subnet}.${at}`, SERVICE_PORT));
    }
    await this.pilot.grpcPort();
    const starts = Object.entries(planes).map(async ([plane, { envoy, variant }]) => {
      const ip = this.pods.get(plane) ?? "";
      const discoveryAddress = `127.0.0.1:${this.link.port}`;
      const folder = this.folder.home;
      const config = sidecarConfig({ name: plane, ip, envoy, discoveryAddress, folder });
      const proxy = await ProxyProcess.start({ envoy, folder, config, variant });
      this.#stops.push(() => proxy.stop());
    });
    // All of them end before a failure is told, so that none is left behind.
    for (const one of await Promise.allSettled(starts)) {
      if (one.status === "rejected") throw one.reason;
    }
    await this.served();
  }

  /** The number of the routes that were written last. */
  get generation(): number {
    return this.#generation;
  }

  /** Where the control plane serves discovery, past the link. */
  get grpcPort(): number {
    return this.#grpcPort;
  }

  /** Sends everything to a version, by routes of a new generation. */
  route(version: "v1" | "v2"): void {
    this.#generation += 1;
    this.folder.write("routes.yaml", generationYaml(version, this.#generation));
  }

  /** Resolves when every proxy answers by the newest routes. */
  async served(): Promise<void> {
    await this.everyPlane(
      ({ generation }) => generation === this.#generation,
      `to serve generation ${this.#generation}`,
    );
  }

  /** Resolves when answers through every plane are as wanted. */
  async everyPlane(
    isWanted: (served: Served) => boolean,
    what: string,
    timeoutMs = SERVED_MS_MAX,
  ): Promise<void> {
    await Promise.all(
      [...this.pods].map(([plane, ip]) =>
        until(async () => isWanted(await askPod(ip)), `${plane} ${what}`, timeoutMs),
      ),
    );
  }

  /** Asks once through one plane's proxy. */
  ask(plane: string): Promise<Served> {
    return askPod(this.pods.get(plane) ?? "");
  }

  /** Ends the control plane, as a crash does when nothing else is said. */
  async stopPilot(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.pilot.stop(signal);
  }

  /** Starts it again at the same address. */
  startPilot(): void {
    this.pilot = this.#startPilot();
  }

  #startPilot(): PilotProcess {
    const { path, home } = this.folder;
    const grpcAddr = `127.0.0.1:${this.#grpcPort}`;
    return new PilotProcess([
      "--config-dir",
      path,
      "--home",
      home,
      "--grpc-addr",
      grpcAddr,
      "--http-addr",
      "127.0.0.1:0",
    ]);
  }

  async syncz(): Promise<readonly SyncRow[]> {
    return JSON.parse(await this.pilot.get("/debug/syncz")) as SyncRow[];
  }

  /** The row of a proxy by the name of its pod; of several, the one that connected last. */
  async row(pod: string): Promise<SyncRow | undefined> {
    return (await this.syncz()).findLast(({ proxy }) => proxy === `${pod}.default`);
  }

  /** The sum over all labels of a metric of the control plane; 0 when it has none. */
  async metric(name: string, label = ""): Promise<number> {
    const lines = (await this.pilot.get("/metrics")).split("\n");
    return lines
      .filter(
        (line) =>
          (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label),
      )
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  /** Resident memory of the control plane, in bytes. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pilot.pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * KIB;
  }

  /** Files and sockets that the control plane has open. */
  openFiles(): number {
    return readdirSync(`/proc/${this.pilot.pid}/fd`).length;
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
    await this.pilot.stop("SIGKILL");
    await this.link.stop();
    this.folder.remove();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
