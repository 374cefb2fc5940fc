import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { ContainerStatus } from "../config/pod.ts";
import { formatTime } from "./conditions.ts";
import type { ProcessExit, ProcessSpec } from "./container-process.ts";
import type { EventInput } from "./events.ts";
import type { ResolvedContainer } from "./resolve-container.ts";

/** Kubernetes' back-off doubles up to 5 minutes; it begins with 10 s, but a process is no image. */
export const RESTART_BACKOFF = { windowMsFirst: 1_000, windowMsMax: 300_000 } as const;
/** A run of this length starts the back-off over, as in kubelet. */
export const RESTART_RESET_MS = 600_000;
/** What keeps a container from being started is looked at again after these waits. */
const PREPARE_BACKOFF = { windowMsFirst: 1_000, windowMsMax: 15_000 } as const;

const PROBE_MS_FIRST = 20;
const PROBE_MS_MAX = 500;
const PROBE_GROWTH = 1.3;
/** How often a container that is ready is asked again. */
const PROBE_MS_READY = 5_000;

type ContainerState = NonNullable<ContainerStatus["state"]>;

/** A container that is not ready by then is worth a word. */
const UNHEALTHY_AFTER_MS = 30_000;

/** A process that runs. */
export interface RunningProcess {
  readonly pid: number;
  readonly startTicks: string;
  readonly exited: Promise<ProcessExit>;
  stop(graceMs: number, signal?: NodeJS.Signals): Promise<ProcessExit>;
  kill(): void;
}

/** What a look at a running container finds; one that may not go on is ended for the reason given. */
export type Probe =
  | { readonly kind: "ready" | "notReady" }
  | { readonly kind: "refused"; readonly reason: string; readonly message: string };

/** A container and how to run it. */
export interface ContainerRunnerOptions {
  readonly name: string;
  readonly image: string;
  readonly restartPolicy: string;
  /** Of earlier servers, for a pod that is older than this one. */
  readonly restartCount: number;
  readonly clock: Clock;
  /** Asked before each start. */
  readonly prepare: () => Promise<ResolvedContainer>;
  readonly start: (spec: ProcessSpec) => Promise<RunningProcess | ProcessExit>;
  readonly probe: (process: RunningProcess, ageMs: number) => Promise<Probe>;
  /** What a failed run has to say about itself, from its output. */
  readonly explainExit: (exit: ProcessExit) => Promise<string | undefined>;
  readonly onChange: () => void;
  readonly onEvent: (event: EventInput) => void;
}

/** Runs one container: starts, watches, restarts with back-off, and knows its status. */
export class ContainerRunner {
  readonly #options: ContainerRunnerOptions;
  readonly #abort = new AbortController();
  readonly #backoff = new Backoff(RESTART_BACKOFF);
  #state: ContainerState = { waiting: { reason: "ContainerCreating" } };
  #lastState: ContainerState | undefined;
  #restartCount: number;
  #containerId: string | undefined;
  #isReady = false;
  #process: RunningProcess | undefined;
  #loop: Promise<void> | undefined;
  #refusal: { readonly reason: string; readonly message: string } | undefined;
  #lastPrepareMessage = "";

  constructor(options: ContainerRunnerOptions) {
    this.#options = options;
    this.#restartCount = options.restartCount;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isRunning(): boolean {
    return this.#state.running !== undefined;
  }

  /** The last run's exit code when the container will not run again. */
  get finalExitCode(): number | undefined {
    const { terminated } = this.#state;
    return this.#isOver ? terminated?.exitCode : undefined;
  }

  #isOver = false;

  get status(): ContainerStatus {
    const { name, image } = this.#options;
    return {
      name,
      image,
      imageID: "",
      ready: this.#isReady,
      started: this.isRunning,
      restartCount: this.#restartCount,
      state: this.#state,
      lastState: this.#lastState ?? {},
      ...(this.#containerId === undefined ? {} : { containerID: this.#containerId }),
    };
  }

  /** Says why the container is not even begun with. */
  hold(reason: string, message: string): void {
    this.#setState({ waiting: { reason, message } });
  }

  start(): void {
    this.#loop ??= this.#run(this.#abort.signal);
  }

  /** Ends the container for good: `signal`, and after the grace SIGKILL. */
  async stop(graceMs: number, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#abort.abort();
    await this.#process?.stop(graceMs, signal);
    await this.#loop;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const prepareBackoff = new Backoff(PREPARE_BACKOFF);
    let isFirstFailure = true;
    while (!signal.aborted) {
      const resolved = await this.#prepare();
      if (signal.aborted) break;
      if (!resolved.ok) {
        this.#waitFor(resolved.reason, resolved.message);
        await this.#options.clock.sleep(prepareBackoff.nextMs(), signal);
        continue;
      }
      const startMs = this.#options.clock.monotonicMs();
      const exit = await this.#runOnce(resolved.spec, resolved.warnings, signal);
      await this.#noteExit(exit, signal.aborted);
      if (signal.aborted || !this.#isToRestart(exit)) break;
      if (this.#options.clock.monotonicMs() - startMs >= RESTART_RESET_MS) {
        this.#backoff.reset();
        isFirstFailure = true;
      }
      // Once at once: what failed by chance is back before anybody noticed.
      await this.#backOff(isFirstFailure ? 0 : this.#backoff.nextMs(), signal);
      isFirstFailure = false;
      if (!signal.aborted) this.#restartCount++;
    }
    this.#isOver = true;
    this.#options.onChange();
  }

  /** What throws here is the machine's trouble, a full disk as a rule: it may be over the next time. */
  async #prepare(): Promise<ResolvedContainer> {
    try {
      return await this.#options.prepare();
    } catch (error) {
      return { ok: false, reason: "CreateContainerError", message: reasonOf(error) };
    }
  }

  async #start(spec: ProcessSpec): Promise<RunningProcess | ProcessExit> {
    try {
      return await this.#options.start(spec);
    } catch (error) {
      return { exitCode: 127, startError: reasonOf(error) };
    }
  }

  async #runOnce(
    spec: ProcessSpec,
    warnings: readonly string[],
    signal: AbortSignal,
  ): Promise<ProcessExit> {
    const { name, clock, onEvent } = this.#options;
    for (const message of warnings) onEvent({ type: "Warning", reason: "NotVisible", message });
    this.#refusal = undefined;
    const started = await this.#start(spec);
    if (!("exited" in started)) {
      onEvent({ type: "Warning", reason: "Failed", message: started.startError ?? "" });
      return started;
    }
    this.#process = started;
    this.#containerId = `weft://${started.pid}-${started.startTicks}`;
    this.#setState({ running: { startedAt: formatTime(clock.nowMs()) } });
    onEvent({ type: "Normal", reason: "Started", message: `Started container ${name}` });
    // `stop` may have come between the decision to start and the start.
    if (signal.aborted) started.kill();
    const over = new AbortController();
    const watching = this.#watchReadiness(started, over.signal);
    const exit = await started.exited;
    over.abort();
    await watching;
    this.#process = undefined;
    return exit;
  }

  async #watchReadiness(process: RunningProcess, signal: AbortSignal): Promise<void> {
    const { clock, name, onEvent } = this.#options;
    const startMs = clock.monotonicMs();
    let waitMs = PROBE_MS_FIRST;
    let isTold = false;
    while (!signal.aborted) {
      const ageMs = clock.monotonicMs() - startMs;
      const probe = await this.#options.probe(process, ageMs);
      if (signal.aborted) return;
      if (probe.kind === "refused") {
        this.#refusal = probe;
        onEvent({ type: "Warning", reason: probe.reason, message: probe.message });
        process.kill();
        return;
      }
      this.#setReady(probe.kind === "ready", name);
      if (!this.#isReady && !isTold && ageMs > UNHEALTHY_AFTER_MS) {
        isTold = true;
        const message = `container ${name} is not ready after ${UNHEALTHY_AFTER_MS / 1000} s`;
        onEvent({ type: "Warning", reason: "Unhealthy", message });
      }
      waitMs =
        probe.kind === "ready" ? PROBE_MS_READY : Math.min(waitMs * PROBE_GROWTH, PROBE_MS_MAX);
      await clock.sleep(waitMs, signal);
    }
  }

  #setReady(isReady: boolean, name: string): void {
    if (this.#isReady === isReady) return;
    this.#isReady = isReady;
    if (!isReady) {
      const message = `container ${name} does not answer any more`;
      this.#options.onEvent({ type: "Warning", reason: "Unhealthy", message });
    }
    this.#options.onChange();
  }

  async #noteExit(exit: ProcessExit, isStopping: boolean): Promise<void> {
    const { clock, name, onEvent } = this.#options;
    const startedAt = this.#state.running?.startedAt;
    const explanation =
      exit.exitCode === 0 || isStopping
        ? undefined
        : await this.#options.explainExit(exit).catch(reasonOf);
    const message = this.#refusal?.message ?? exit.startError ?? explanation;
    const reason =
      this.#refusal?.reason ??
      (exit.startError !== undefined ? "StartError" : exit.exitCode === 0 ? "Completed" : "Error");
    this.#isReady = false;
    this.#setState({
      terminated: {
        exitCode: exit.exitCode,
        ...(exit.signal === undefined ? {} : { signal: exit.signal }),
        reason,
        ...(message === undefined ? {} : { message }),
        ...(startedAt === undefined ? {} : { startedAt }),
        finishedAt: formatTime(clock.nowMs()),
        ...(this.#containerId === undefined ? {} : { containerID: this.#containerId }),
      },
    });
    if (isStopping) {
      onEvent({ type: "Normal", reason: "Killing", message: `Stopped container ${name}` });
    }
  }

  async #backOff(delayMs: number, signal: AbortSignal): Promise<void> {
    this.#lastState = this.#state;
    if (delayMs === 0) return;
    const { name, onEvent, clock } = this.#options;
    const message = `back-off ${delayMs / 1000}s restarting container ${name}`;
    this.#setState({ waiting: { reason: "CrashLoopBackOff", message } });
    // The same text each time, so that the event is counted and not written anew.
    const text = `Back-off restarting failed container ${name}`;
    onEvent({ type: "Warning", reason: "BackOff", message: text });
    await clock.sleep(delayMs, signal);
  }

  #waitFor(reason: string, message: string): void {
    this.#setState({ waiting: { reason, message } });
    if (message === this.#lastPrepareMessage) return;
    this.#lastPrepareMessage = message;
    this.#options.onEvent({ type: "Warning", reason: "Failed", message });
  }

  #isToRestart({ exitCode }: ProcessExit): boolean {
    const { restartPolicy } = this.#options;
    return restartPolicy === "Always" || (restartPolicy === "OnFailure" && exitCode !== 0);
  }

  #setState(state: ContainerState): void {
    this.#state = state;
    this.#options.onChange();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
