import { spawnSync } from "node:child_process";
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { loadApiCredentials } from "../../src/local/api-credentials.ts";
import { claimPodNetwork } from "../../src/local/claim-pod-network.ts";
import { lockHome, readHomeState, unlockHome } from "../../src/local/home-lock.ts";
import { LogFile } from "../../src/local/log-file.ts";
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

describe("loadApiCredentials()", () => {
  const file = (): string => join(home, "api-credentials.json");

  it("keeps what it made, for the owner only", async () => {
    const made = await loadApiCredentials(file(), nodeClock);
    expect(await loadApiCredentials(file(), nodeClock)).toEqual(made);
    expect((statSync(file()).mode & 0o777).toString(8)).toBe("600");
    expect(readdirSync(home)).toEqual(["api-credentials.json"]);
  });

  it.each<[string, (good: Record<string, string>) => unknown]>([
    ["that is cut off", (good) => JSON.stringify(good).slice(0, 500)],
    ["with an empty token, which nobody would have to know", (good) => ({ ...good, token: "" })],
    ["with a token that is no text", (good) => ({ ...good, token: 5 })],
    ["with a key that is none", (good) => ({ ...good, privateKey: "x" })],
    [
      "with an authority that is another",
      (good) => ({ ...good, caCertificate: good["certificate"] }),
    ],
    ["with a certificate that is none", (good) => ({ ...good, certificate: [] })],
    ["of nothing", () => "null"],
  ])("replaces a file %s", async (_, spoil) => {
    const good = await loadApiCredentials(file(), nodeClock);
    const spoiled = spoil({ ...good });
    rmSync(file());
    const text = typeof spoiled === "string" ? spoiled : JSON.stringify(spoiled);
    writeFileSync(file(), text, { mode: 0o644 });
    const { token, certificate, privateKey } = await loadApiCredentials(file(), nodeClock);
    expect(token.length).toBeGreaterThanOrEqual(32);
    expect(() => createSecureContext({ cert: certificate, key: privateKey })).not.toThrow();
    expect((statSync(file()).mode & 0o777).toString(8)).toBe("600");
  });
});

describe("LogFile", () => {
  it("says when the disk is full, and throws nothing", () => {
    expect(new LogFile("/dev/full").write("a line")).toBe(false);
    const file = join(home, "log", "server.log");
    expect(new LogFile(file).write("a line")).toBe(true);
    expect((statSync(file).mode & 0o777).toString(8)).toBe("600");
  });
});
