import { describe, expect, it } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import type { ProcessExit } from "./container-process.ts";
import { ContainerRunner, type Probe, RESTART_RESET_MS } from "./container-runner.ts";
import type { EventInput } from "./events.ts";
import type { ResolvedContainer } from "./resolve-container.ts";

const SPEC = {
  ok: true,
  spec: { command: ["x"], env: {}, workingDir: "/" },
  warnings: [],
} as const;

/** A container whose every run lasts `runMs` and ends with `exitCode`. */
function setUp(options: {
  readonly runMs?: number;
  readonly exitCode?: number;
  readonly restartPolicy?: string;
  readonly probe?: () => Probe;
  readonly prepare?: () => ResolvedContainer;
  readonly onStart?: () => void;
  readonly explainExit?: () => Promise<string>;
}) {
  const clock = new SimClock();
  const starts: number[] = [];
  const events: EventInput[] = [];
  const runner = new ContainerRunner({
    name: "c",
    image: "i",
    restartPolicy: options.restartPolicy ?? "Always",
    restartCount: 0,
    clock,
    prepare: async () => options.prepare?.() ?? SPEC,
    start: async () => {
      starts.push(clock.nowMs());
      options.onStart?.();
      let end: (exit: ProcessExit) => void = () => undefined;
      const exited = new Promise<ProcessExit>((resolve) => {
        end = resolve;
      });
      clock.setTimer(options.runMs ?? 100, () => end({ exitCode: options.exitCode ?? 1 }));
      const kill = () => end({ exitCode: 137, signal: 9 });
      const stop = () => {
        end({ exitCode: 0 });
        return exited;
      };
      return { pid: 1, startTicks: "2", exited, kill, stop };
    },
    probe: async () => options.probe?.() ?? { kind: "ready" },
    explainExit: async () => options.explainExit?.(),
    onChange: () => undefined,
    onEvent: (event) => events.push(event),
  });
  return { clock, runner, starts, events };
}

describe("ContainerRunner", () => {
  it("starts a crashed container at once, then after 1 s, 2 s, 4 s", async () => {
    const { clock, runner, starts, events } = setUp({});
    runner.start();
    await clock.advance(9_000);
    expect(starts).toEqual([0, 100, 1200, 3300, 7400]);
    expect(runner.status).toMatchObject({
      ready: false,
      restartCount: 4,
      state: {
        waiting: { reason: "CrashLoopBackOff", message: "back-off 8s restarting container c" },
      },
      lastState: { terminated: { exitCode: 1, reason: "Error" } },
    });
    expect(events.filter(({ reason }) => reason === "BackOff")).toHaveLength(4);
    await runner.stop(0);
  });

  it("waits five minutes at most, and forgets after ten good ones", async () => {
    const { clock, runner, starts } = setUp({ runMs: 0 });
    runner.start();
    await clock.advance(3_600_000);
    const waits = starts.slice(1).map((ms, index) => ms - (starts[index] ?? 0));
    expect(Math.max(...waits)).toBe(300_000);
    await runner.stop(0);

    const good = setUp({ runMs: RESTART_RESET_MS });
    good.runner.start();
    await good.clock.advance(RESTART_RESET_MS * 3 + 10);
    expect(good.starts).toHaveLength(4);
    await good.runner.stop(0);
  });

  it.each([
    ["Never", 1, 1],
    ["OnFailure", 0, 1],
    ["OnFailure", 1, 2],
    ["Always", 0, 2],
  ])("honours restartPolicy %s after exit code %i", async (restartPolicy, exitCode, runs) => {
    const { clock, runner, starts } = setUp({ restartPolicy, exitCode });
    runner.start();
    await clock.advance(150);
    expect(starts).toHaveLength(runs);
    expect(runner.finalExitCode).toBe(runs === 1 ? exitCode : undefined);
    await runner.stop(0);
  });

  it("is ready once its probe says so, and not any more when it ends", async () => {
    let isReady = false;
    const probe = (): Probe => ({ kind: isReady ? "ready" : "notReady" });
    const { clock, runner } = setUp({ probe, runMs: 5_000, restartPolicy: "Never" });
    runner.start();
    await clock.advance(1_000);
    expect([runner.isRunning, runner.isReady]).toEqual([true, false]);
    isReady = true;
    await clock.advance(600);
    expect(runner.isReady).toBe(true);
    await clock.advance(5_000);
    expect(runner.isReady).toBe(false);
  });

  it("ends what is refused, with its reason", async () => {
    const probe = (): Probe => ({ kind: "refused", reason: "BindsAllAddresses", message: "no" });
    const { clock, runner, events } = setUp({ probe, restartPolicy: "Never" });
    runner.start();
    await clock.advance(10);
    expect(runner.status.state?.terminated).toMatchObject({
      exitCode: 137,
      reason: "BindsAllAddresses",
      message: "no",
    });
    expect(events.map(({ reason }) => reason)).toContain("BindsAllAddresses");
  });

  it("waits for what cannot be started, and starts it when it can", async () => {
    let isThere = false;
    const prepare = (): ResolvedContainer =>
      isThere ? SPEC : { ok: false, reason: "ErrImagePull", message: "not in the catalogue" };
    const { clock, runner, starts, events } = setUp({ prepare, runMs: 60_000 });
    runner.start();
    await clock.advance(20_000);
    expect(runner.status.state?.waiting?.reason).toBe("ErrImagePull");
    expect(events).toHaveLength(1);
    isThere = true;
    await clock.advance(15_000);
    expect(starts).toHaveLength(1);
    expect(runner.status.restartCount).toBe(0);
    await runner.stop(0);
  });

  it("waits out what the machine refuses, whichever step it is in", async () => {
    let isFull = true;
    const onStart = (): void => {
      if (isFull) throw new Error("ENOSPC: no space left on device");
    };
    const prepare = (): ResolvedContainer => {
      onStart();
      return SPEC;
    };
    const preparing = setUp({ prepare, runMs: 60_000 });
    preparing.runner.start();
    const starting = setUp({ onStart, runMs: 60_000 });
    starting.runner.start();
    await preparing.clock.advance(2_000);
    await starting.clock.advance(2_000);
    expect(preparing.runner.status.state?.waiting).toEqual({
      reason: "CreateContainerError",
      message: "ENOSPC: no space left on device",
    });
    expect(starting.runner.status.lastState?.terminated).toMatchObject({
      reason: "StartError",
      message: "ENOSPC: no space left on device",
    });
    isFull = false;
    for (const { clock, runner } of [preparing, starting]) {
      await clock.advance(15_000);
      expect(runner.isReady).toBe(true);
      await runner.stop(0);
    }
  });

  it("says so when the output of a failed run cannot be read", async () => {
    const { clock, runner } = setUp({
      restartPolicy: "Never",
      explainExit: () => Promise.reject(new Error("EIO: i/o error")),
    });
    runner.start();
    await clock.advance(200);
    expect(runner.status.state?.terminated?.message).toBe("EIO: i/o error");
  });
});
