import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { nodeClock } from "../../base/node-clock.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { Logger } from "../../telemetry/log.ts";
import { silentLogger } from "../../telemetry/log.ts";
import type { AccessLog } from "./access-log.ts";
import { LogFiles } from "./log-file.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-log-file-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(path: string, log: Logger = silentLogger): { files: LogFiles; log: AccessLog } {
  const files = new LogFiles(nodeClock, log, () => undefined);
  const format = (info: StreamInfo): string => `${info.routeName}\n`;
  return { files, log: files.open({ kind: "file", path, format }) };
}

const line = (text: string): StreamInfo => ({ routeName: text }) as StreamInfo;

async function waitFor(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a log file", () => {
  test.runIf(process.platform === "linux")("on a full disk is said once, and counted", async () => {
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
    const { files, log } = open("/dev/full", logger as Logger);
    for (let at = 0; at < 3; at++) {
      log.log(line("x"));
      const failed = files.stats.write_failed;
      await waitFor(() => files.stats.write_failed > failed);
    }
    await files.close();
    expect(files.stats.write_failed).toBe(3);
    expect(files.stats.write_total_buffered).toBe(0);
    expect(warnings).toEqual(["cannot write access log"]);
  });

  test("that cannot be written keeps no more than its bound", async () => {
    const { files, log } = open("/nowhere/at/all");
    const large = line("x".repeat(1024 * 1024));
    // In one turn nothing is written, so that all of it waits.
    for (let at = 0; at < 40; at++) log.log(large);
    expect(files.stats.write_total_buffered).toBeLessThan(20 * 1024 * 1024);
    expect(files.stats.write_failed).toBeGreaterThan(20);
    await files.close();
  });

  test("that is moved away and opened anew under load loses no line and cuts none", async () => {
    const moving = mkdtempSync(join(tmpdir(), "weft-log-file-"));
    const path = join(moving, "log");
    const { files, log } = open(path);
    const names: string[] = [];
    let count = 0;
    for (let round = 0; round < 5; round++) {
      for (let turn = 0; turn < 20; turn++) {
        for (let at = 0; at < 200; at++) log.log(line(`${count++} ${"y".repeat(100)}`));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const completed = files.stats.write_completed;
      // What was completed may still have gone to the file before.
      await waitFor(() => files.stats.write_completed > completed && existsSync(path));
      names.push(`${path}.${round}`);
      renameSync(path, `${path}.${round}`);
      files.reopen();
    }
    log.log(line(String(count++)));
    await files.close();
    const lines = [...names, path].flatMap((name) =>
      readFileSync(name, "utf8").split("\n").slice(0, -1),
    );
    expect(lines.map((text) => Number(text.split(" ")[0]))).toEqual(
      Array.from({ length: count }, (_, at) => at),
    );
    rmSync(moving, { recursive: true });
  });
});
