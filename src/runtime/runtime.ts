import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Issue } from "../base/issue.ts";
import type { Prng } from "../base/prng.ts";
import type { Pod } from "../config/pod.ts";
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
  /**
   * Resolves when nobody sends to a pod's address any more, or when the signal aborts. Without it,
   * a pod that leaves waits for a fixed time.
   */
  readonly whenUnused?: (podIp: string, signal: AbortSignal) => Promise<void>;
}

/** Runs the workloads of a storage as processes of this machine (portable mode, Linux). */
export class Runtime {
  readonly #options: RuntimeOptions;
  readonly #events: EventRecorder;
  readonly #pods: PodController;
  #controllers: readonly Controller[] = [];

  constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#events = new EventRecorder(options);
    this.#pods = new PodController({
      ...options,
      registry: new ProcessRegistry(processFolder(options.home)),
      events: this.#events,
      directory: join(options.home, "pods"),
    });
  }

  /** Makes the objects say that nothing runs yet; before anybody reads them. */
  async prepare(): Promise<void> {
    const { storage, clock } = this.#options;
    await registerNode(storage, clock);
    await this.#pods.prepare();
  }

  /** Brings up what the storage asks for; after `prepare`. */
  start(): void {
    const { storage, clock, logger, prng } = this.#options;
    const deps: ControllerDeps = { storage, clock, logger };
    this.#pods.start();
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

  /** A container's output, or why there is none. */
  readLogs(pod: Pod, options: PodLogOptions): AsyncIterable<Uint8Array> | Issue {
    return this.#pods.readLogs(pod, options);
  }
}

/** Kills every process of a home at once; the server that started them must end right after. */
export function killProcesses(home: string): void {
  new ProcessRegistry(processFolder(home)).killAll();
}

/**
 * Ends what a server on this home left running when it died. Only while no server runs there;
 * returns what was ended, as `namespace/pod/container`.
 */
export function endLeftovers(
  home: string,
  clock: Clock,
  logger: Logger,
): Promise<readonly string[]> {
  return new ProcessRegistry(processFolder(home)).endLeftovers(clock, logger);
}

function processFolder(home: string): string {
  return join(home, "processes");
}

/** What is missing for portable mode on this machine, or `undefined`. */
export function whyUnsupported(platform: string = process.platform): string | undefined {
  if (platform === "linux") return undefined;
  return `pods run in portable mode, which needs Linux: a loopback network with all of 127.0.0.0/8, and /proc; this is ${platform}`;
}
