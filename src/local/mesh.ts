import { rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ApiServer } from "../apiserver/api-server.ts";
import { buildKubeconfig } from "../apiserver/kubeconfig.ts";
import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import { VERSION } from "../base/version.ts";
import type { Deployment } from "../config/deployment.ts";
import type { Namespace } from "../config/namespace.ts";
import type { KubeObject } from "../config/object.ts";
import type { Pod } from "../config/pod.ts";
import { ControlPlane } from "../controlplane/control-plane.ts";
import type { ControlPlaneStatus } from "../controlplane/control-plane-status.ts";
import type { FindingsChange } from "../controlplane/findings.ts";
import { MESH_KINDS } from "../model/mesh.ts";
import { describeTakenPort } from "../runtime/host-ports.ts";
import { PodNetwork } from "../runtime/pod-network.ts";
import { endLeftovers, killProcesses, Runtime, whyUnsupported } from "../runtime/runtime.ts";
import { StorageSource } from "../source/storage-source.ts";
import type { Admit } from "../storage/admission.ts";
import { LmdbStorage, type LmdbStorageOptions } from "../storage/lmdb-storage.ts";
import type { Storage } from "../storage/storage.ts";
import type { Logger } from "../telemetry/log.ts";
import { AgentLauncher } from "./agent-launcher.ts";
import { loadApiCredentials } from "./api-credentials.ts";
import { bringUpObjects } from "./bring-up-objects.ts";
import { claimPodNetwork } from "./claim-pod-network.ts";
import { createHome } from "./create-home.ts";
import { findEnvoy } from "./find-envoy.ts";
import { findFreePort } from "./free-port.ts";
import { type HomeLock, lockHome, unlockHome } from "./home-lock.ts";
import { injectSidecar, isToInject } from "./inject-sidecar.ts";
import { loadCatalogue } from "./load-catalogue.ts";
import { MeshError } from "./mesh-error.ts";
import { type PodReadiness, summarisePods } from "./mesh-readiness.ts";
import { objectWarnings } from "./object-warnings.ts";
import { findPackageRoot } from "./package-root.ts";
import { removeServerFile, type ServerFile, writeServerFile } from "./server-file.ts";

const HOST = "127.0.0.1";
const POLL_MS = 25;
const SIDECAR_IMAGE = `weft/proxy:${VERSION}`;

/** Ports on 127.0.0.1; 0 takes one that is free. */
export interface MeshPorts {
  readonly http: number;
  readonly api: number;
  readonly xds: number;
  readonly monitoring: number;
}

/** The flag by which each port is moved. */
export const PORT_FLAGS: Readonly<Record<keyof MeshPorts, string>> = {
  http: "--http-port",
  api: "--api-port",
  xds: "--xds-port",
  monitoring: "--monitoring-port",
};

/** A mesh that is to be. */
export interface MeshOptions {
  /** Holds all state; one mesh at a time. Made when it is missing. */
  readonly home: string;
  readonly ports: MeshPorts;
  readonly proxy?: "weft" | "envoy";
  readonly podCidr?: string;
  /** Looked into before those of the home and of the package. */
  readonly catalogueFile?: string;
  /** Whether Bookinfo is put in at the first start that asks for it. */
  readonly demo?: boolean;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of each thing that stands. */
  readonly onProgress?: (message: string) => void;
  readonly onFindings?: (change: FindingsChange) => void;
}

/** Thrown by `up` when another process has the home. */
export class MeshRunningError extends Error {
  readonly lock: HomeLock;

  constructor(lock: HomeLock) {
    super(`a mesh is already running (pid ${lock.pid})`);
    this.name = "MeshRunningError";
    this.lock = lock;
  }
}

/**
 * A whole mesh on this machine: objects, API, control plane, and pods as processes. Many may run in
 * one process, each with its own home; `up` after `down` brings the same objects up again.
 */
export class Mesh {
  readonly #options: MeshOptions;
  readonly #packageRoot = findPackageRoot();
  /** What has been opened, to be closed in the other order. */
  readonly #closers: (() => void | Promise<void>)[] = [];
  #storage: Storage | undefined;
  #controlPlane: ControlPlane | undefined;
  #serverFile: ServerFile | undefined;

  constructor(options: MeshOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the API answers and pods are being started; see `whenReady`. Rejects with a
   * `MeshError` or `MeshRunningError`, and leaves nothing behind then.
   */
  async up(): Promise<ServerFile> {
    const unsupported = whyUnsupported();
    if (unsupported !== undefined) throw new MeshError(unsupported);
    try {
      return await this.#up();
    } catch (error) {
      await this.down();
      // What a start that failed had only just made goes too; what has objects in it stays.
      removeEmptyFolders(join(this.#options.home, "processes"), this.#options.home);
      throw error;
    }
  }

  /** Stops pods, apps before sidecars, then the servers. The objects stay for the next `up`. */
  async down(): Promise<void> {
    let failure: unknown;
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        // What stands below must be closed all the same.
        failure ??= error;
      }
    }
    this.#storage = undefined;
    this.#controlPlane = undefined;
    this.#serverFile = undefined;
    if (failure !== undefined) throw failure;
  }

  /** Who has which configuration; only while the mesh is up. */
  get controlPlaneStatus(): ControlPlaneStatus | undefined {
    return this.#controlPlane?.status();
  }

  /** The objects; only while the mesh is up. */
  get storage(): Storage | undefined {
    return this.#storage;
  }

  /**
   * Resolves when every pod that is asked for is ready, or with what is waited for when the time is
   * over or the signal aborts.
   */
  async whenReady(timeoutMs: number, signal?: AbortSignal): Promise<PodReadiness> {
    const { clock, onProgress } = this.#options;
    const endMs = clock.monotonicMs() + timeoutMs;
    const told = new Set<string>();
    for (;;) {
      const readiness = this.#podReadiness();
      for (const pod of readiness.readyPods) {
        if (told.has(pod)) continue;
        told.add(pod);
        onProgress?.(`pod ${pod} is ready (${told.size}/${readiness.wanted})`);
      }
      const isDone = readiness.ready >= readiness.wanted && readiness.waiting.length === 0;
      if (isDone || clock.monotonicMs() >= endMs || signal?.aborted === true) return readiness;
      await clock.sleep(POLL_MS, signal);
    }
  }

  #podReadiness(): PodReadiness {
    const list = (group: string, kind: string): readonly KubeObject[] =>
      this.#storage?.list({ group, kind }).items ?? [];
    return summarisePods(list("apps", "Deployment") as Deployment[], list("", "Pod") as Pod[]);
  }

  async #up(): Promise<ServerFile> {
    const { home, clock, logger, onProgress } = this.#options;
    createHome(home);
    const envoyPath =
      this.#options.proxy === "envoy" ? findEnvoy(this.#options.env, this.#packageRoot) : undefined;
    this.#claimHome();
    const ended = await endLeftovers(home, clock, logger);
    if (ended.length > 0) {
      onProgress?.(`ended ${ended.length} processes that an earlier server had left running`);
    }
    const ports = await this.#choosePorts();
    const network = await claimPodNetwork(home, this.#options.podCidr);
    this.#closers.push(() => network.release());
    const storage = this.#openStorage();
    await bringUpObjects(storage, {
      packageRoot: this.#packageRoot,
      image: SIDECAR_IMAGE,
      httpPort: ports.http,
      isDemo: this.#options.demo === true,
    });
    const runtime = this.#createRuntime(storage, network.cidr, envoyPath);
    // Before anybody is told of them, pods of the last time stop being ready.
    await runtime.prepare();
    await this.#startControlPlane(storage, ports);
    const api = await this.#startApi(storage, runtime, ports.api);
    runtime.start();
    this.#closers.push(() => runtime.stop());
    const { grpc = 0, http: monitoring = 0 } = this.#controlPlane?.ports ?? {};
    this.#serverFile = {
      pid: process.pid,
      version: VERSION,
      apiUrl: `https://${HOST}:${api}`,
      monitoringAddr: `${HOST}:${monitoring}`,
      xdsAddr: `${HOST}:${grpc}`,
      gatewayUrl: `http://${HOST}:${ports.http}`,
      kubeconfig: join(home, "kubeconfig"),
      proxy: this.#options.proxy ?? "weft",
      podCidr: network.cidr,
      startedAt: new Date(clock.nowMs()).toISOString(),
    };
    writeServerFile(home, this.#serverFile);
    return this.#serverFile;
  }

  /** What `server.json` says; only while the mesh is up. */
  get serverFile(): ServerFile | undefined {
    return this.#serverFile;
  }

  #claimHome(): void {
    const { home } = this.#options;
    const state = lockHome(home, describeOptions(this.#options));
    if (state.kind === "held") throw new MeshRunningError(state.lock);
    this.#closers.push(() => {
      removeServerFile(home);
      unlockHome(home);
    });
  }

  async #choosePorts(): Promise<MeshPorts> {
    const { ports } = this.#options;
    for (const name of ["http", "api", "xds", "monitoring"] as const) {
      if (ports[name] === 0) continue;
      const taken = await describeTakenPort(HOST, ports[name]);
      if (taken !== undefined) {
        throw new MeshError(`${taken}; choose another with ${PORT_FLAGS[name]}`);
      }
    }
    // A pod's host port stands in its spec, so it must be known before.
    return {
      ...ports,
      http: ports.http === 0 ? await findFreePort(HOST, this.#options.prng) : ports.http,
    };
  }

  #openStorage(): Storage {
    const { home, clock, onProgress } = this.#options;
    const admit: Admit = ({ operation, object }, view) => {
      if (operation !== "create" || object.kind !== "Pod") return { ok: true, value: object };
      const pod = object as Pod;
      const name = pod.metadata.namespace ?? "";
      const namespace = view.get({ group: "", kind: "Namespace", namespace: "", name });
      const isInjected = isToInject(pod, namespace as Namespace | undefined);
      return { ok: true, value: isInjected ? injectSidecar(pod, SIDECAR_IMAGE) : pod };
    };
    const storage = openObjects({ path: join(home, "objects"), clock, admit });
    this.#closers.push(() => storage.close());
    this.#storage = storage;
    onProgress?.(`objects in ${home}`);
    return storage;
  }

  #createRuntime(storage: Storage, cidr: string, envoyPath: string | undefined): Runtime {
    const { home, clock, prng, logger, env, proxy = "weft", catalogueFile } = this.#options;
    const ownFile = catalogueFile ?? join(home, "catalogue.yaml");
    const files = [
      ownFile,
      join(home, "catalogue.yaml"),
      join(this.#packageRoot, "samples", "catalogue.yaml"),
    ];
    return new Runtime({
      storage,
      clock,
      prng,
      logger,
      home,
      serverEnv: env,
      network: new PodNetwork(cidr),
      whenUnused: async (podIp, signal) => this.#controlPlane?.whenUnused(podIp, signal),
      catalogue: loadCatalogue({
        files: [...new Set(files)],
        ownFile,
        variables: { node: process.execPath, weft: this.#packageRoot },
        logger,
      }),
      sidecar: new AgentLauncher({
        proxy,
        envoyPath,
        weftScript: join(this.#packageRoot, "dist", "weft.js"),
        discoveryAddress: () => `${HOST}:${this.#controlPlane?.ports.grpc ?? 0}`,
        logLevel: "warn",
        env,
      }),
    });
  }

  async #startControlPlane(storage: Storage, ports: MeshPorts): Promise<void> {
    const { clock, prng, logger, home, onProgress, onFindings } = this.#options;
    const controlPlane = new ControlPlane({
      source: new StorageSource(storage, MESH_KINDS, clock),
      grpcAddr: `${HOST}:${ports.xds}`,
      httpAddr: `${HOST}:${ports.monitoring}`,
      clock,
      prng,
      log: logger.scope("pilot"),
      calledHostsFile: join(home, "called-hosts.json"),
      ...(onFindings && { onFindings }),
    });
    await controlPlane.start();
    this.#closers.push(() => controlPlane.stop());
    this.#controlPlane = controlPlane;
    const { grpc, http } = controlPlane.ports;
    onProgress?.(`control plane on ${HOST}:${grpc}, monitoring on http://${HOST}:${http}`);
  }

  async #startApi(storage: Storage, runtime: Runtime, port: number): Promise<number> {
    const { home, clock, logger, onProgress } = this.#options;
    const credentials = await loadApiCredentials(join(home, "api-credentials.json"), clock);
    const { caCertificate, token, ...tls } = credentials;
    const server = new ApiServer({
      storage,
      clock,
      log: logger.scope("api"),
      tls,
      token,
      version: VERSION,
      port,
      hooks: {
        logs: (pod, options) => runtime.readLogs(pod, options),
        warn: (object) => objectWarnings(object, storage),
      },
    });
    const { port: bound } = await server.start();
    this.#closers.push(() => server.stop());
    const kubeconfig = buildKubeconfig({ host: HOST, port: bound, caCertificate, token });
    writeFileSync(join(home, "kubeconfig"), kubeconfig, { mode: 0o600 });
    onProgress?.(`API on https://${HOST}:${bound}`);
    return bound;
  }
}

function openObjects(options: LmdbStorageOptions): Storage {
  try {
    return new LmdbStorage(options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MeshError(
      `the objects cannot be read (${why}); move ${options.path} away to begin with none`,
    );
  }
}

/** Kills all that runs for a home and gives it back; this process must end right after. */
export function killMesh(home: string): void {
  killProcesses(home);
  removeServerFile(home);
  unlockHome(home);
}

/** What of the options makes a difference to somebody who finds a running mesh. */
export function describeOptions({
  ports,
  proxy = "weft",
  podCidr,
  catalogueFile,
}: MeshOptions): string {
  return JSON.stringify({ ports, proxy, podCidr, catalogueFile });
}

function removeEmptyFolders(...folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // It has something in it, or is not there.
    }
  }
}
