import { describe, expect, test } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import type { StatusChange } from "../source/source.ts";
import { silentLogger } from "../telemetry/log.ts";
import { MetricRegistry } from "../telemetry/metrics.ts";
import { ObjectStatusWriter, type WantedStatus } from "./object-status.ts";

interface Said {
  readonly state: "True" | "False";
  readonly message: string;
  readonly isPending?: boolean;
}

/** A writer whose objects a test sets by name. */
class Rig {
  readonly clock = new SimClock();
  readonly metrics = new MetricRegistry();
  readonly objects = new Map<string, Said>();
  readonly written: string[] = [];
  failure: Error | undefined;
  readonly writer = new ObjectStatusWriter({
    clock: this.clock,
    log: silentLogger,
    metrics: this.metrics,
    wanted: () => [...this.objects].map(([name, said]) => wantedOf(name, said)),
    isUnsettled: () => false,
    write: async ({ key, conditions: [condition] }) => {
      if (this.failure !== undefined) throw this.failure;
      this.written.push(`${key.name} ${condition?.status} ${condition?.message}`);
    },
  });

  set(name: string, said: Said): void {
    this.objects.set(name, said);
    this.writer.note();
  }
}

function wantedOf(name: string, { state, message, isPending = false }: Said): WantedStatus {
  const change: StatusChange = {
    key: { group: "g", kind: "K", namespace: "n", name },
    conditions: [{ type: "Distributed", status: state, reason: "R", message }],
    validationMessages: [],
  };
  return {
    text: `g/K/n/${name}`,
    signature: `${state} ${message}`,
    isPending,
    build: () => change,
  };
}

describe("ObjectStatusWriter", () => {
  test("writes what is new once, the newest only", async () => {
    const rig = new Rig();
    rig.set("a", { state: "True", message: "1" });
    rig.set("a", { state: "True", message: "2" });
    await rig.clock.advance(100);
    rig.writer.note();
    await rig.clock.advance(100);
    expect(rig.written).toEqual(["a True 2"]);
    await rig.writer.stop();
    expect(rig.clock.timersPending).toBe(0);
  });

  test("says that something is on its way only when it takes a while", async () => {
    const rig = new Rig();
    rig.set("a", { state: "False", message: "0/1", isPending: true });
    await rig.clock.advance(200);
    rig.set("a", { state: "True", message: "1/1" });
    await rig.clock.advance(200);
    expect(rig.written).toEqual(["a True 1/1"]);
    rig.set("a", { state: "False", message: "0/1", isPending: true });
    await rig.clock.advance(500);
    expect(rig.written).toEqual(["a True 1/1", "a False 0/1"]);
    await rig.writer.stop();
  });

  test("bounds the rate, failures first and counts last", async () => {
    const rig = new Rig();
    for (let index = 0; index < 500; index += 1) {
      rig.set(`${index}`, { state: "True", message: "1/1" });
    }
    await rig.clock.advance(3000);
    expect(rig.written).toHaveLength(500);
    rig.written.length = 0;
    for (let index = 0; index < 500; index += 1) {
      rig.set(`${index}`, { state: "True", message: "2/2" });
    }
    await rig.clock.advance(100);
    expect(rig.written).toEqual([]);
    rig.set("7", { state: "False", message: "no" });
    await rig.clock.advance(100);
    expect(rig.written).toEqual(["7 False no"]);
    await rig.clock.advance(1000);
    expect(rig.written.length).toBeGreaterThan(100);
    expect(rig.written.length).toBeLessThanOrEqual(401);
    await rig.clock.advance(3000);
    expect(rig.written).toHaveLength(500);
    expect(rig.metrics.value("weft_status_writes_pending", { rank: "count" })).toBe(0);
    await rig.writer.stop();
  });

  test("tries again what could not be written, unless something newer waits", async () => {
    const rig = new Rig();
    rig.failure = new Error("away");
    rig.set("a", { state: "True", message: "1" });
    await rig.clock.advance(200);
    expect(rig.metrics.value("weft_status_write_errors")).toBe(1);
    rig.set("a", { state: "True", message: "2" });
    rig.failure = undefined;
    await rig.clock.advance(3000);
    expect(rig.written).toEqual(["a True 2"]);
    await rig.writer.stop();
  });

  test("forgets objects that are gone", async () => {
    const rig = new Rig();
    rig.failure = new Error("away");
    rig.set("a", { state: "True", message: "1" });
    await rig.clock.advance(200);
    rig.objects.clear();
    rig.failure = undefined;
    rig.writer.note();
    await rig.clock.advance(60_000);
    expect(rig.written).toEqual([]);
    await rig.writer.stop();
  });
});
