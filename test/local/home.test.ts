import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimPodNetwork } from "../../src/local/claim-pod-network.ts";
import { lockHome, readHomeState, unlockHome } from "../../src/local/home-lock.ts";
import { createHome, removeHome } from "./mesh-processes.ts";

let home: string;

beforeEach(() => {
  home = createHome();
});
afterEach(() => removeHome(home));

describe("lockHome()", () => {
  it("gives a home to one process at a time", () => {
    expect(readHomeState(home)).toEqual({ kind: "free" });
    expect(lockHome(home, "this")).toEqual({ kind: "free" });
    expect(lockHome(home, "that")).toMatchObject({
      kind: "held",
      lock: { pid: process.pid, asked: "this" },
    });
    unlockHome(home);
    expect(lockHome(home, "that")).toEqual({ kind: "free" });
  });

  it.each([
    ["of a process that is gone", { pid: spawnSync("true").pid, startTicks: "1", asked: "" }],
    ["of an earlier process of that number", { pid: process.pid, startTicks: "1", asked: "" }],
    ["that is broken", "no lock"],
  ])("replaces a lock %s", (_, lock) => {
    writeFileSync(join(home, "server.lock"), JSON.stringify(lock));
    expect(readHomeState(home)).toEqual({ kind: "dead" });
    expect(lockHome(home, "this")).toEqual({ kind: "free" });
  });
});

describe("claimPodNetwork()", () => {
  it("gives every mesh a network of its own, the same one each time", async () => {
    const first = await claimPodNetwork(home);
    const second = await claimPodNetwork(home);
    expect(second.cidr).not.toBe(first.cidr);
    await expect(claimPodNetwork(home, first.cidr)).rejects.toThrow("another mesh");
    await first.release();
    await second.release();
    const again = await claimPodNetwork(home);
    expect(again.cidr).toBe(first.cidr);
    await again.release();
  });
});
