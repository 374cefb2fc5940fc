import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Prng } from "../base/prng.ts";
import type { Storage } from "../storage/storage.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Controller, ControllerDeps } from "./controller.ts";
import { startDeploymentController } from "./deployment-controller.ts";
import { startEndpointSliceController } from "./endpoint-slice-controller.ts";
import { EventRecorder } from "./events.ts";
import { startNamespaceController } from "./namespace-controller.ts";
import { registerNode } from "./node-object.ts";
import { PodController, type PodLogOptions } from "./pod-controller.ts";
import type { PodNetwork } from "./pod-network.ts";
import { ProcessRegistry } from "./process-registry.ts";
import { startReplicaSetController } from "./replica-set-controller.ts";
import type { Catalogue } from "./resolve-container.ts";
import { startServiceController } from "./service-controller.ts";
import type { SidecarLauncher } from "./sidecar-launcher.ts";

/** What a runtime is made of. */
export interface RuntimeOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly logger: Logger;
  /** Owned by this runtime: `pods/` and `processes/` inside it. */
  readonly home: string;
  readonly network: PodNetwork;
  readonly catalogue: Catalogue;
  /** What apps inherit a few variables from. */
  readonly serverEnv: Readonly<Record<string, string | undefined>>;
  readonly sidecar?: SidecarLauncher;
}

/** Runs the workloads of a storage as processes of this machine (portable mode, Linux). */
export class Runtime {
  readonly #options: RuntimeOptions;
  readonly #events: EventRecorder;
  readonly #pods: PodController;
  readonly #registry: ProcessRegistry;
  #controllers: readonly Controller[] = [];

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#events = new EventRecorder(options);
    this.#registry = new ProcessRegistry(join(options.home, "processes"));
    this.#pods = new PodController({
      ...options,
      registry: this.#registry,
      events: this.#events,
      directory: join(options.home, "pods"),
    });
  }

  /** Ends what an earlier server left running, then brings up what the storage asks for. */
  async start(): Promise<void> {
    const { storage, clock, logger, prng } = this.#options;
    await this.#registry.endLeftovers(clock, logger.scope("runtime"));
    await registerNode(storage, clock);
    const deps: ControllerDeps = { storage, clock, logger };
    await this.#pods.start();
    this.#controllers = [
      startNamespaceController(deps),
      startServiceController(deps),
      startDeploymentController(deps),
      startReplicaSetController({ ...deps, prng }),
      startEndpointSliceController(deps),
    ];
  }

  /** Stops every process, apps before sidecars; the objects stay as they are. */
  async stop(): Promise<void> {
    // First those that would replace what now stops.
    await Promise.all(this.#controllers.map((controller) => controller.stop()));
    await this.#pods.stop();
    await this.#events.stop();
  }

  /** A container's output; throws a `StorageError` when there is none. */
  readLogs(options: PodLogOptions): AsyncIterable<Uint8Array> {
    return this.#pods.readLogs(options);
  }
}

/** What is missing for portable mode on this machine, or `undefined`. */
export function whyUnsupported(platform: string = process.platform): string | undefined {
  if (platform === "linux") return undefined;
  return `pods run in portable mode, which needs Linux: a loopback network with all of 127.0.0.0/8, and /proc; this is ${platform}`;
}
