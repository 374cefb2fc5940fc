import { describe, expect, test } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import type { KubeObject } from "../config/object.ts";
import type { ConfigBatch, ConfigSource } from "../source/source.ts";
import { silentLogger } from "../telemetry/log.ts";
import { SourceFeed } from "./source-feed.ts";

function object(name: string): KubeObject {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "default" } };
}

/** Gives one list of names per run and fails between them. */
function failingSource(runs: readonly (readonly string[])[]): {
  readonly source: ConfigSource;
  readonly fail: () => void;
} {
  let run = 0;
  let reject: (error: Error) => void = () => undefined;
  const source: ConfigSource = {
    name: "failing",
    run: (onBatch) => {
      const names = runs[run++] ?? [];
      onBatch({
        events: names.map((name) => ({ type: "set", object: object(name) })),
        refused: [],
      });
      return new Promise((_resolve, rejectRun) => (reject = rejectRun));
    },
  };
  return { source, fail: () => reject(new Error("broken")) };
}

describe("SourceFeed", () => {
  test("deletes what a source that comes back no longer has", async () => {
    const clock = new SimClock();
    const batches: ConfigBatch[] = [];
    const { source, fail } = failingSource([["a", "b"], ["b"]]);
    const feed = new SourceFeed({
      source,
      clock,
      prng: { next: () => 1 },
      log: silentLogger,
      onBatch: (batch) => batches.push(batch),
    });
    await feed.start();
    fail();
    await clock.advance(1);
    expect(batches).toHaveLength(1);
    await clock.advance(60_000);
    expect(batches[1]?.events).toEqual([
      { type: "set", object: object("b") },
      { type: "delete", key: { group: "", kind: "Service", namespace: "default", name: "a" } },
    ]);
    const stopped = feed.stop();
    fail();
    await stopped;
  });

  test("`start()` rejects when the source fails before it gave anything", async () => {
    const feed = new SourceFeed({
      source: { name: "broken", run: () => Promise.reject(new Error("no disk")) },
      clock: new SimClock(),
      prng: { next: () => 1 },
      log: silentLogger,
      onBatch: () => expect.unreachable(),
    });
    await expect(feed.start()).rejects.toThrow("no disk");
    await feed.stop();
  });
});
