import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Issue } from "../base/issue.ts";
import { keyOf } from "../config/object.ts";
import type { Pod } from "../config/pod.ts";
import { StorageError } from "../storage/storage.ts";
import { setCondition } from "./conditions.ts";
import type { ReadLogOptions } from "./container-log.ts";
import type { Controller, ControllerDeps } from "./controller.ts";
import { objectKey, parseKey, startController } from "./controller.ts";
import type { EventRecorder } from "./events.ts";
import { NODE_NAME } from "./node-object.ts";
import { isPodFinished } from "./pod-conditions.ts";
import type { PodNetwork } from "./pod-network.ts";
import { PodRunner, type PodRunnerDeps } from "./pod-runner.ts";
import { whyUnschedulable } from "./schedule.ts";
import { Semaphore } from "./semaphore.ts";
import { writeStatus } from "./write-status.ts";

/** How long proxies get at most to learn that a pod is leaving before its apps are asked to stop. */
const LEAVE_MS_MAX = 5_000;
/** The same where nobody can be asked whether they have. */
const LEAVE_MS_BLIND = 500;
/** Requests that were on their way when the last proxy learned of it get this long to arrive. */
const ARRIVE_MS = 50;
/** At the end of the server nobody is left to wait for. */
const SHUTDOWN_GRACE_MS_MAX = 5_000;
const GRACE_SECONDS_DEFAULT = 30;
/** More pods that start at once only make each other late. */
const STARTS_MAX = 6;
/** A pod that is not ready by then lets the next one begin. */
const START_SLOT_MS = 10_000;
const LOG_ROTATE_MS = 5_000;
/** Ports that every sidecar listens on, beside those of containers. */
const SIDECAR_PORTS = [15000, 15002, 15021] as const;

/** What the pods of this machine need. */
export interface PodControllerDeps extends ControllerDeps, Omit<PodRunnerDeps, "podPorts"> {
  readonly events: EventRecorder;
  readonly network: PodNetwork;
  /** Resolves when nobody sends to an address any more, or when the signal aborts. */
  readonly whenUnused?: (podIp: string, signal: AbortSignal) => Promise<void>;
  /** Holds a folder per pod. */
  readonly directory: string;
}

/** Which container's output. */
export interface PodLogOptions extends ReadLogOptions {
  /** The first one that is not the sidecar, unless said. */
  readonly container?: string;
  /** Refused, as long as lines carry no time. */
  readonly sinceSeconds?: number;
}

interface Entry {
  readonly uid: string;
  readonly runner: PodRunner;
  readonly directory: string;
  readonly releaseSlot: () => void;
  end: Promise<void> | undefined;
}

/** The kubelet of this machine: places pods, runs them, tells their status, ends them. */
export class PodController {
  readonly #deps: PodControllerDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #starts = new Semaphore(STARTS_MAX);
  readonly #stop = new AbortController();
  #controller: Controller | undefined;
  #rotation: Promise<void> | undefined;

  constructor(deps: PodControllerDeps) {
    this.#deps = deps;
  }

  /** Pods of an earlier server are begun anew; until then nobody may take them for ready. */
  async prepare(): Promise<void> {
    const pods = this.#list().filter((pod) => pod.spec.nodeName !== undefined);
    await Promise.all(
      pods.filter((pod) => !isPodFinished(pod)).map((pod) => this.#resetStatus(pod)),
    );
  }

  start(): void {
    this.#controller = startController(this.#deps, {
      name: "pod",
      watches: [{ group: "", kind: "Pod", keys: (object) => [objectKey(object)] }],
      reconcile: (key) => this.#reconcile(key),
    });
    this.#rotation = this.#rotateLogs();
  }

  /** Stops all pods, apps before sidecars; their objects stay. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#controller?.stop();
    await Promise.all(
      [...this.#entries.entries()].map(async ([key, entry]) => {
        const seconds = this.#get(key)?.spec.terminationGracePeriodSeconds ?? GRACE_SECONDS_DEFAULT;
        const graceMs = Math.min(seconds * 1000, SHUTDOWN_GRACE_MS_MAX);
        entry.releaseSlot();
        await entry.runner.stop({ graceMs, isDraining: false });
        await entry.end;
      }),
    );
    this.#entries.clear();
    await this.#rotation;
  }

  /** A container's output, or why there is none. */
  readLogs(pod: Pod, options: PodLogOptions): AsyncIterable<Uint8Array> | Issue {
    if (options.sinceSeconds !== undefined) {
      const message = "not built yet: lines of output carry no time; use tailLines";
      return { path: "sinceSeconds", message };
    }
    const entry = this.#entries.get(objectKey(pod));
    const { containers, initContainers = [] } = pod.spec;
    const names = [...containers, ...initContainers].map((container) => container.name);
    const container =
      options.container ??
      pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"] ??
      names.find((candidate) => candidate !== this.#deps.sidecar?.containerName) ??
      names[0] ??
      "";
    if (!names.includes(container)) {
      const message = `container ${container} is not valid for pod ${pod.metadata.name}, it has ${names.join(", ")}`;
      return { path: "container", message };
    }
    const log = entry?.runner.log(container);
    if (entry === undefined || log === undefined) {
      const message = `container "${container}" in pod "${pod.metadata.name}" is waiting to start`;
      return { path: "container", message };
    }
    return log.read(
      options,
      this.#deps.clock,
      () => this.#stop.signal.aborted || !entry.runner.isContainerRunning(container),
    );
  }

  #get(key: string): Pod | undefined {
    return this.#deps.storage.get({ group: "", kind: "Pod", ...parseKey(key) }) as Pod | undefined;
  }

  #list(): readonly Pod[] {
    return this.#deps.storage.list({ group: "", kind: "Pod" }).items as Pod[];
  }

  async #reconcile(key: string): Promise<void> {
    const pod = this.#get(key);
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.uid !== pod?.metadata.uid) {
      // Removed without waiting: what runs must go before another pod may have the name.
      this.#end(key, entry, pod, 0);
      return;
    }
    if (pod === undefined) return;
    if (pod.metadata.deletionTimestamp !== undefined) {
      const seconds = pod.metadata.deletionGracePeriodSeconds ?? GRACE_SECONDS_DEFAULT;
      if (entry === undefined) await this.#remove(pod);
      else {
        await this.#writeStatus(pod, entry);
        this.#end(key, entry, pod, seconds * 1000);
      }
      return;
    }
    if (entry !== undefined) await this.#writeStatus(pod, entry);
    else if (isPodFinished(pod) || this.#stop.signal.aborted) return;
    else if (pod.spec.nodeName === undefined) await this.#place(pod);
    else await this.#begin(key, pod);
  }

  async #place(pod: Pod): Promise<void> {
    const { storage, events, clock } = this.#deps;
    const reason = whyUnschedulable(pod, this.#list());
    if (reason === undefined) {
      const placed: Pod = { ...pod, spec: { ...pod.spec, nodeName: NODE_NAME } };
      await storage.update(placed);
      const message = `Successfully assigned ${objectKey(pod)} to ${NODE_NAME}`;
      events.record(pod, { type: "Normal", reason: "Scheduled", message });
      return;
    }
    const before = pod.status?.conditions ?? [];
    const condition = {
      type: "PodScheduled",
      status: "False" as const,
      reason: "Unschedulable",
      message: reason,
    };
    const isNews = !before.some(
      ({ type, message }) => type === "PodScheduled" && message === reason,
    );
    await writeStatus(storage, pod, {
      phase: "Pending",
      conditions: setCondition(before, condition, clock.nowMs()),
    });
    if (isNews)
      events.record(pod, { type: "Warning", reason: "FailedScheduling", message: reason });
  }

  async #begin(key: string, pod: Pod): Promise<void> {
    const { network, events } = this.#deps;
    const addresses = network.allocate();
    if (addresses === undefined) throw new Error(`no address is free in ${network.cidr}`);
    const uid = pod.metadata.uid ?? "";
    const directory = join(this.#deps.directory, `${key.replace("/", "_")}_${uid}`);
    const runner = new PodRunner(
      { ...this.#deps, podPorts: () => this.#podPorts() },
      {
        pod,
        addresses,
        directory,
        onChange: () => {
          if (runner.isReady) entry.releaseSlot();
          this.#controller?.enqueue(key);
        },
        onEvent: (event) => events.record(pod, event),
      },
    );
    const { release, acquired } = this.#starts.acquire();
    const entry: Entry = { uid, runner, directory, releaseSlot: release, end: undefined };
    this.#entries.set(key, entry);
    await this.#writeStatus(pod, entry);
    void acquired.then((isAcquired) => {
      if (!isAcquired || entry.end !== undefined || this.#stop.signal.aborted) return;
      this.#deps.clock.setTimer(START_SLOT_MS, release);
      runner.start();
    });
  }

  /** Begins to end a pod; the rest goes on beside the queue, since a grace may be long. */
  #end(key: string, entry: Entry, pod: Pod | undefined, graceMs: number): void {
    entry.end ??= this.#endPod(key, entry, pod, graceMs).catch((error: unknown) => {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#deps.logger.error("cannot end a pod", { pod: key, error: message });
    });
  }

  async #endPod(key: string, entry: Entry, pod: Pod | undefined, graceMs: number): Promise<void> {
    const { network } = this.#deps;
    entry.releaseSlot();
    if (graceMs > 0 && entry.runner.isReady) await this.#leave(entry, graceMs);
    const isDraining = graceMs > 0 && !this.#stop.signal.aborted;
    await entry.runner.stop({ graceMs, isDraining });
    network.release(entry.runner.addresses);
    this.#entries.delete(key);
    await rm(entry.directory, { recursive: true, force: true });
    if (pod !== undefined && pod.metadata.uid === entry.uid) await this.#remove(pod);
    this.#controller?.enqueue(key);
    // Its ports are free now.
    for (const other of this.#list()) {
      if (other.spec.nodeName === undefined) this.#controller?.enqueue(objectKey(other));
    }
  }

  /** Those who send to a pod must hear that it leaves the endpoints before it stops. */
  async #leave({ runner }: Entry, graceMs: number): Promise<void> {
    const { clock, whenUnused } = this.#deps;
    const { signal } = this.#stop;
    if (whenUnused === undefined) return clock.sleep(Math.min(LEAVE_MS_BLIND, graceMs), signal);
    const over = new AbortController();
    const timer = clock.setTimer(Math.min(LEAVE_MS_MAX, graceMs), () => over.abort());
    const either = AbortSignal.any([signal, over.signal]);
    await whenUnused(runner.addresses.podIp, either);
    await clock.sleep(ARRIVE_MS, either);
    timer.cancel();
  }

  async #remove(pod: Pod): Promise<void> {
    try {
      await this.#deps.storage.delete(keyOf(pod), {
        gracePeriodSeconds: 0,
        ...(pod.metadata.uid === undefined ? {} : { uid: pod.metadata.uid }),
      });
    } catch (error) {
      const reason = error instanceof StorageError ? error.reason : undefined;
      if (reason !== "NotFound" && reason !== "Conflict") throw error;
    }
  }

  async #writeStatus(pod: Pod, entry: Entry): Promise<void> {
    await writeStatus(this.#deps.storage, pod, entry.runner.status);
  }

  async #resetStatus(pod: Pod): Promise<void> {
    const containerStatuses = (pod.status?.containerStatuses ?? []).map((status) => ({
      ...status,
      ready: false,
      started: false,
      // It ran under the server before this one, and will run again.
      restartCount: status.restartCount + (status.containerID === undefined ? 0 : 1),
      state: { waiting: { reason: "ContainerCreating" } },
    }));
    await writeStatus(this.#deps.storage, pod, { phase: "Pending", containerStatuses });
  }

  /** The ports that pods use, and that an app may therefore not take on all addresses. */
  #podPorts(): ReadonlySet<number> {
    const ports = this.#list().flatMap((pod) =>
      pod.spec.containers.flatMap((container) =>
        (container.ports ?? []).map(({ containerPort }) => containerPort),
      ),
    );
    return new Set([...ports, ...SIDECAR_PORTS]);
  }

  async #rotateLogs(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#deps.clock.sleep(LOG_ROTATE_MS, signal);
      for (const { runner } of this.#entries.values()) {
        for (const log of runner.logs) {
          await log.rotate().catch((error: unknown) => {
            this.#deps.logger.warn("cannot rotate a log", { error: String(error) });
          });
        }
      }
    }
  }
}
