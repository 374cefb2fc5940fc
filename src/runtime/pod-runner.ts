import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Condition } from "../config/condition.ts";
import type { Pod } from "../config/pod.ts";
import type { Container } from "../config/pod-spec.ts";
import { ContainerLog } from "./container-log.ts";
import { ContainerProcess } from "./container-process.ts";
import { ContainerRunner, type Probe, type RunningProcess } from "./container-runner.ts";
import type { EventInput } from "./events.ts";
import { describeTakenPort, hostPortsOf } from "./host-ports.ts";
import type { PodAddresses } from "./pod-network.ts";
import { buildPodStatus } from "./pod-status.ts";
import { acceptsTcp, answersOk, findAllAddressesPort } from "./probe.ts";
import type { ProcessRegistry } from "./process-registry.ts";
import { type Catalogue, type ResolvedContainer, resolveContainer } from "./resolve-container.ts";
import type { SidecarLauncher } from "./sidecar-launcher.ts";

/** How long after its end a sidecar that was asked to drain is killed. */
const SIDECAR_KILL_MARGIN_MS = 1_000;
const LOG_END_BYTES = 2_048;
/** Reading /proc is dear: a container that is not ready yet gets this long first. */
const BIND_CHECK_AFTER_MS = 400;

/** What pods run with. */
export interface PodRunnerDeps {
  readonly clock: Clock;
  readonly registry: ProcessRegistry;
  readonly catalogue: Catalogue;
  readonly serverEnv: Readonly<Record<string, string | undefined>>;
  readonly sidecar?: SidecarLauncher;
  /** The ports on which no app may listen on all addresses. */
  readonly podPorts: () => ReadonlySet<number>;
}

/** One pod. */
export interface PodRunnerOptions {
  readonly pod: Pod;
  readonly addresses: PodAddresses;
  /** The pod's own folder. */
  readonly directory: string;
  readonly onChange: () => void;
  readonly onEvent: (event: EventInput) => void;
}

/** How a pod is stopped. */
export interface StopOptions {
  readonly graceMs: number;
  /** Whether the sidecar lets connections end by themselves first. */
  readonly isDraining: boolean;
}

/** Runs one pod: its sidecar before its apps, and after them when it stops. */
export class PodRunner {
  readonly #deps: PodRunnerDeps;
  readonly #options: PodRunnerOptions;
  readonly #sidecar: ContainerRunner | undefined;
  readonly #init: readonly ContainerRunner[];
  readonly #apps: readonly ContainerRunner[];
  readonly #logs = new Map<string, ContainerLog>();
  readonly #startedAtMs: number;
  #conditions: readonly Condition[] = [];
  #isStarted = false;
  /** A sidecar that fails later does not hold up apps that run. */
  #hasSidecarStarted = false;
  #stopping: Promise<void> | undefined;

  constructor(deps: PodRunnerDeps, options: PodRunnerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#startedAtMs = deps.clock.nowMs();
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const isSidecar = ({ name }: Container): boolean => name === deps.sidecar?.containerName;
    const { containers } = options.pod.spec;
    const sidecar = containers.find(isSidecar);
    this.#sidecar = sidecar === undefined ? undefined : this.#createSidecar(sidecar);
    this.#init = (options.pod.spec.initContainers ?? []).map((container) =>
      this.#createApp(container, initRestartPolicy(options.pod)),
    );
    this.#apps = containers
      .filter((container) => !isSidecar(container))
      .map((container) => this.#createApp(container));
  }

  get addresses(): PodAddresses {
    return this.#options.addresses;
  }

  /** Whether all that the pod consists of is ready. */
  get isReady(): boolean {
    return this.#all().every(({ isReady }) => isReady);
  }

  /** Whether one of its containers, by name, runs now. */
  isContainerRunning(name: string): boolean {
    return [...this.#init, ...this.#all()].some(
      (runner) => runner.status.name === name && runner.isRunning,
    );
  }

  /** The output of a container, by name. */
  log(container: string): ContainerLog | undefined {
    return this.#logs.get(container);
  }

  get logs(): Iterable<ContainerLog> {
    return this.#logs.values();
  }

  start(): void {
    for (const app of [...this.#init, ...this.#apps]) {
      app.hold("PodInitializing", "waits until the sidecar is ready");
    }
    this.#isStarted = true;
    this.#sidecar?.start();
    this.#onContainerChange();
  }

  /** Apps first: they may still call others while they end, so the sidecar goes last. */
  stop(options: StopOptions): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  async #stop({ graceMs, isDraining }: StopOptions): Promise<void> {
    await Promise.all([...this.#init, ...this.#apps].map((app) => app.stop(graceMs)));
    const drainMs = this.#deps.sidecar?.drainMs ?? 0;
    // SIGINT asks the agent to end without draining.
    const signal = isDraining ? "SIGTERM" : "SIGINT";
    await this.#sidecar?.stop(drainMs + SIDECAR_KILL_MARGIN_MS, signal);
  }

  get status(): NonNullable<Pod["status"]> {
    const { pod, addresses } = this.#options;
    const status = buildPodStatus({
      pod,
      podIp: addresses.podIp,
      startedAtMs: this.#startedAtMs,
      nowMs: this.#deps.clock.nowMs(),
      containers: this.#all().map((runner) => runner.status),
      initContainers: this.#init.map((runner) => runner.status),
      finalExitCodes: this.#apps.map(({ finalExitCode }) => finalExitCode),
      conditions: this.#conditions,
    });
    this.#conditions = status.conditions ?? [];
    return status;
  }

  #all(): readonly ContainerRunner[] {
    return this.#sidecar === undefined ? this.#apps : [this.#sidecar, ...this.#apps];
  }

  /** Called on every change of a container: begins what may begin by now. */
  #onContainerChange(): void {
    if (this.#isStarted && this.#stopping === undefined) {
      if (!this.#hasSidecarStarted && (this.#sidecar?.isReady ?? true)) {
        this.#hasSidecarStarted = true;
      }
      if (this.#hasSidecarStarted) this.#startNext();
      // A pod whose work is done needs no sidecar: without this, jobs would never end.
      if (this.#areAppsOver()) void this.stop({ graceMs: 0, isDraining: true });
    }
    this.#options.onChange();
  }

  /** Init containers one after the other, then the apps together. */
  #startNext(): void {
    const next = this.#init.find(({ finalExitCode }) => finalExitCode !== 0);
    if (next === undefined) for (const app of this.#apps) app.start();
    else next.start();
  }

  #areAppsOver(): boolean {
    // An init container that failed for good means that the apps never begin.
    if (this.#init.some(({ finalExitCode = 0 }) => finalExitCode !== 0)) return true;
    return (
      this.#apps.length > 0 && this.#apps.every(({ finalExitCode }) => finalExitCode !== undefined)
    );
  }

  #createApp(container: Container, restartPolicy?: string): ContainerRunner {
    const { pod, addresses, directory } = this.#options;
    const port = container.ports?.find(({ protocol }) => (protocol ?? "TCP") === "TCP");
    const address = this.#sidecar === undefined ? addresses.podIp : addresses.appAddress;
    return this.#createRunner(
      container,
      async () =>
        this.#sidecar === undefined && (container.ports ?? []).some((p) => (p.hostPort ?? 0) > 0)
          ? needsSidecar()
          : resolveContainer(pod, container, {
              addresses,
              hasSidecar: this.#sidecar !== undefined,
              directory,
              catalogue: this.#deps.catalogue,
              serverEnv: this.#deps.serverEnv,
            }),
      async (process, ageMs) => {
        const isReady = port === undefined || (await acceptsTcp(address, port.containerPort));
        if (!isReady && ageMs < BIND_CHECK_AFTER_MS) return { kind: "notReady" };
        return this.#checkBinding(process, container, address) ?? toProbe(isReady);
      },
      restartPolicy,
    );
  }

  #checkBinding(process: RunningProcess, { name }: Container, address: string): Probe | undefined {
    const port = findAllAddressesPort(process.pid, this.#deps.podPorts());
    if (port === undefined) return undefined;
    return {
      kind: "refused",
      reason: "BindsAllAddresses",
      message: `container ${name} listens on port ${port} of all addresses, which takes it from other pods: listen on the address in WEFT_BIND (${address})`,
    };
  }

  #createSidecar(container: Container): ContainerRunner {
    const { sidecar } = this.#deps;
    const { pod, addresses, directory } = this.#options;
    const hostPorts = hostPortsOf(pod);
    const home = join(directory, container.name);
    return this.#createRunner(
      container,
      async () => {
        if (sidecar === undefined) return needsSidecar();
        for (const { hostIp, hostPort } of hostPorts) {
          const taken = await describeTakenPort(hostIp, hostPort);
          if (taken === undefined) continue;
          return { ok: false, reason: "HostPortTaken", message: `host ${taken}` };
        }
        mkdirSync(home, { recursive: true, mode: 0o700 });
        const hasApp = pod.spec.containers.length > 1;
        const context = { pod, addresses, hasApp, hostPorts, directory: home };
        return { ok: true, spec: await sidecar.prepare(context), warnings: [] };
      },
      async () =>
        toProbe(
          sidecar !== undefined &&
            (await answersOk(addresses.podIp, sidecar.healthPort, sidecar.healthPath)),
        ),
      "Always",
    );
  }

  #createRunner(
    container: Container,
    prepare: () => Promise<ResolvedContainer>,
    probe: (process: RunningProcess, ageMs: number) => Promise<Probe>,
    restartPolicy: string = this.#options.pod.spec.restartPolicy ?? "Always",
  ): ContainerRunner {
    const { clock, registry } = this.#deps;
    const { pod, directory } = this.#options;
    const log = new ContainerLog(directory, container.name);
    this.#logs.set(container.name, log);
    const before = pod.status?.containerStatuses?.find(({ name }) => name === container.name);
    return new ContainerRunner({
      name: container.name,
      image: container.image ?? "",
      restartPolicy,
      restartCount: before?.restartCount ?? 0,
      clock,
      prepare,
      probe,
      start: (spec) =>
        ContainerProcess.start({
          spec,
          logFile: log.beginRun(),
          registry,
          what: `${pod.metadata.namespace ?? ""}/${pod.metadata.name}/${container.name}`,
          clock,
        }),
      explainExit: async () =>
        explainOutput(await log.readEnd(LOG_END_BYTES), this.#options.addresses),
      onChange: () => this.#onContainerChange(),
      onEvent: this.#options.onEvent,
    });
  }
}

/** Init containers run to their end; a pod that is never restarted does not try them again either. */
function initRestartPolicy({ spec }: Pod): string {
  return spec.restartPolicy === "Never" ? "Never" : "OnFailure";
}

/** The commonest reason to fail here, in plain words; else what the process wrote last. */
function explainOutput(output: string, { appAddress }: PodAddresses): string | undefined {
  if (/EADDRINUSE|address already in use/i.test(output)) {
    return `its port is taken: it may listen on all addresses; listen on the address in WEFT_BIND (${appAddress})\n${output}`;
  }
  return output === "" ? undefined : output;
}

function needsSidecar(): ResolvedContainer {
  return {
    ok: false,
    reason: "CreateContainerConfigError",
    message:
      "hostPort is served by the pod's sidecar in portable mode, and this pod has none: label its namespace istio-injection=enabled",
  };
}

function toProbe(isReady: boolean): Probe {
  return { kind: isReady ? "ready" : "notReady" };
}
