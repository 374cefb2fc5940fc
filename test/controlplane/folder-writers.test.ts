/** Whoever writes a file, and however slowly: nothing half is taken from a folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock, Timer } from "../../src/base/clock.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createPrng, type Prng } from "../../src/base/prng.ts";
import { FolderNotices } from "../../src/source/folder-notices.ts";
import { FolderSource } from "../../src/source/folder-source.ts";
import type { ConfigBatch } from "../../src/source/source.ts";
import { until } from "./until.ts";

const SERVICES = ["a", "b", "c", "d"];

/** Services of one port each, which is the version of the file: a part of it has fewer of them. */
function fileOf(version: number, services = SERVICES): string {
  const documents = services.map(
    (name) =>
      `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n  ports:\n  - port: ${version}\n`,
  );
  return documents.join("---\n");
}

/** Time that goes on, but in which no timer goes off until it may. */
class HeldClock implements Clock {
  isHeld = true;
  skippedMs = 0;
  readonly #held: (() => void)[] = [];

  get waiting(): number {
    return this.#held.length;
  }

  release(): void {
    this.isHeld = false;
    for (const callback of this.#held.splice(0)) callback();
  }

  nowMs(): number {
    return nodeClock.nowMs();
  }

  monotonicMs(): number {
    return nodeClock.monotonicMs() + this.skippedMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    if (!this.isHeld) return nodeClock.setTimer(delayMs, callback);
    this.#held.push(callback);
    return {
      cancel: () => {
        const at = this.#held.indexOf(callback);
        if (at >= 0) this.#held.splice(at, 1);
      },
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return nodeClock.sleep(delayMs, signal);
  }
}

/** A folder that is followed; every state that it is ever in is kept. */
class Followed {
  /** Of the folder that is followed, and of one beside it. */
  readonly path: string;
  readonly beside: string;
  readonly states: string[] = [];
  readonly refused: string[] = [];
  readonly #services = new Map<string, number>();
  readonly #controller = new AbortController();
  #ended: Promise<void> | undefined;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "weft-writers-"));
    this.beside = mkdtempSync(join(tmpdir(), "weft-beside-"));
  }

  async start(clock: Clock = nodeClock): Promise<void> {
    const source = new FolderSource({ folder: this.path, clock });
    this.#ended = source.run((batch) => this.#take(batch), this.#controller.signal);
    await until(() => this.states.length > 0, "the first batch");
  }

  #take({ events, refused }: ConfigBatch): void {
    for (const event of events) {
      if (event.type === "delete") this.#services.delete(event.key.name);
      else {
        const { spec } = event.object as unknown as { spec: { ports: { port: number }[] } };
        this.#services.set(event.object.metadata.name, spec.ports[0]?.port ?? 0);
      }
    }
    this.states.push(this.now);
    this.refused.push(...refused.map(({ issue }) => issue.message));
  }

  get now(): string {
    const sorted = [...this.#services].sort(([left], [right]) => (left < right ? -1 : 1));
    return sorted.map(([name, port]) => `${name}${port}`).join(" ");
  }

  async has(version: number): Promise<void> {
    await until(() => this.now === stateOf(version), `${stateOf(version)}, not ${this.now}`);
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#ended;
    for (const folder of [this.path, this.beside]) rmSync(folder, { recursive: true, force: true });
  }
}

function stateOf(version: number): string {
  return SERVICES.map((name) => `${name}${version}`).join(" ");
}

/** Shorter than what counts as quiet; in this process, so that a slow machine delays both sides. */
const PAUSE_MS_MAX = 30;

async function pause(prng: Prng): Promise<void> {
  const ms = Math.floor(prng.next() * PAUSE_MS_MAX);
  if (prng.next() < 0.7) await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Appends a text to a file, cut anywhere. */
async function writeSlowly(path: string, text: string, prng: Prng): Promise<void> {
  let from = 0;
  while (from < text.length) {
    // Often at the end of a line, where what is there looks like a whole file.
    let to = from + 1 + Math.floor(prng.next() * (text.length / 3));
    if (prng.next() < 0.5) to = text.indexOf("\n", to) + 1 || text.length;
    appendFileSync(path, text.slice(from, to));
    from = to;
    await pause(prng);
  }
}

type Writer = (path: string, text: string, prng: Prng, beside: string) => Promise<void>;

const WRITERS: Readonly<Record<string, Writer>> = {
  "empties it and writes": async (path, text, prng) => {
    writeFileSync(path, "");
    await pause(prng);
    await writeSlowly(path, text, prng);
  },
  "removes it and writes anew": async (path, text, prng) => {
    rmSync(path);
    await pause(prng);
    await writeSlowly(path, text, prng);
  },
  "moves it aside and writes anew, as vim does": async (path, text, prng) => {
    renameSync(path, `${path}~`);
    await writeSlowly(path, text, prng);
    rmSync(`${path}~`);
  },
  "writes a file beside it and renames that": async (path, text, prng) => {
    await writeSlowly(`${path}.new`, text, prng);
    renameSync(`${path}.new`, path);
  },
  "writes a hidden file beside it and renames that": async (path, text, prng) => {
    const hidden = join(path, "..", ".a.yaml.swp");
    await writeSlowly(hidden, text, prng);
    renameSync(hidden, path);
  },
  "writes a file elsewhere and renames that": async (path, text, prng, beside) => {
    await writeSlowly(join(beside, "a.yaml"), text, prng);
    renameSync(join(beside, "a.yaml"), path);
  },
  "renames another and writes to that": async (path, text, prng, beside) => {
    await writeSlowly(join(beside, "a.yaml"), text, prng);
    renameSync(join(beside, "a.yaml"), path);
    writeFileSync(path, "");
    await writeSlowly(path, text, prng);
  },
};

test.runIf(process.platform === "linux")(
  "FolderNotices have noticed after a turn whatever was done before",
  async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const folder = mkdtempSync(join(tmpdir(), "weft-notices-"));
    const isFile = (): boolean => true;
    const notices = new FolderNotices({ clock: nodeClock, signal, pollMs: 1000, isFile });
    try {
      notices.watch([folder]);
      for (let turn = 0; turn < 100; turn++) {
        const path = join(folder, `${turn}.yaml`);
        // Reads come back from other threads, and in the same turn as what is noticed.
        if (turn % 2 === 0) await readFile(import.meta.filename);
        writeFileSync(path, "a: 1\n");
        await notices.drain();
        expect(notices.has(path)).toBe(true);
      }
    } finally {
      controller.abort();
      notices.close();
      rmSync(folder, { recursive: true });
    }
  },
);

describe("FolderSource, as files are written", () => {
  let folder: Followed;

  beforeEach(() => {
    folder = new Followed();
  });

  afterEach(() => folder.stop());

  test.each(Object.keys(WRITERS))("takes nothing half when somebody %s", async (name) => {
    const prng = createPrng(7);
    const path = join(folder.path, "a.yaml");
    writeFileSync(path, fileOf(1));
    await folder.start();
    const wholes = [stateOf(1)];
    for (let version = 2; version < 7; version++) {
      wholes.push(stateOf(version));
      await WRITERS[name]?.(path, fileOf(version), prng, folder.beside);
      await folder.has(version);
    }
    expect(folder.states.filter((state) => !wholes.includes(state))).toEqual([]);
    expect(folder.refused).toEqual([]);
  });

  test("waits longer for a text that stops in the middle of a line", async () => {
    const path = join(folder.path, "a.yaml");
    writeFileSync(path, fileOf(1));
    await folder.start();
    const text = fileOf(2);
    const cut = text.indexOf("name: c");
    writeFileSync(path, text.slice(0, cut));
    await new Promise((resolve) => setTimeout(resolve, 500));
    appendFileSync(path, text.slice(cut));
    await folder.has(2);
    expect(folder.states).toEqual([stateOf(1), stateOf(2)]);
  });

  test("takes a file at once that is put in another's place, and no other", async () => {
    const path = join(folder.path, "a.yaml");
    writeFileSync(path, fileOf(1));
    const clock = new HeldClock();
    clock.isHeld = false;
    await folder.start(clock);
    clock.isHeld = true;
    // Whatever waited before has to see the first of these.
    for (let version = 2; version < 6; version++) {
      const next = join(folder.beside, "next");
      writeFileSync(next, fileOf(version));
      renameSync(next, path);
      await folder.has(version);
      await until(() => clock.waiting === 1, "the source to rest until something happens");
    }
    // Nothing else is taken before time passes: this would be seen as soon as those were.
    const other = join(folder.path, "b.yaml");
    writeFileSync(other, fileOf(1, ["x"]));
    writeFileSync(path, fileOf(6));
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    rmSync(path);
    writeFileSync(path, fileOf(7));
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(folder.now).toBe(stateOf(5));
    clock.release();
    await until(() => folder.now === `${stateOf(7)} x1`, "the rest");
    expect(folder.states).toEqual([
      ...[1, 2, 3, 4, 5].map((version) => stateOf(version)),
      `${stateOf(7)} x1`,
    ]);
  });

  test("takes files together that are moved about together", async () => {
    const [from, to] = [join(folder.path, "a.yaml"), join(folder.path, "b.yaml")];
    writeFileSync(from, fileOf(1));
    writeFileSync(to, fileOf(1, ["x"]));
    await folder.start();
    renameSync(from, to);
    await folder.has(1);
    expect(folder.states).toEqual([`${stateOf(1)} x1`, stateOf(1)]);
    expect(folder.refused).toEqual([]);
  });

  test("takes nothing half of what another process removes and makes anew as fast as it can", async () => {
    const path = join(folder.path, "a.yaml");
    writeFileSync(path, fileOf(1));
    await folder.start();
    // Half of it stops in the middle of a line, so that time alone would have to be long to trust it.
    const script = `
      const { appendFileSync, renameSync, rmSync, writeFileSync } = require("node:fs");
      const [path, next, text] = process.argv.slice(1);
      const spin = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); };
      for (let version = 2; version <= 400; version++) {
        const whole = text.replaceAll("port: 1\\n", "port: " + version + "\\n");
        if (version % 4 === 0) { writeFileSync(next, whole); renameSync(next, path); }
        else {
          const cut = whole.indexOf("name: c");
          rmSync(path);
          spin(Math.random());
          writeFileSync(path, whole.slice(0, cut));
          spin(Math.random());
          appendFileSync(path, whole.slice(cut));
        }
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + (version % 5));
      }`;
    const next = join(folder.beside, "next");
    const child = spawn(process.execPath, ["-e", script, path, next, fileOf(1)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [code] = await once(child, "exit");
    expect(code).toBe(0);
    await folder.has(400);
    const wholes = new Set(Array.from({ length: 400 }, (_, at) => stateOf(at + 1)));
    expect(folder.states.filter((state) => !wholes.has(state))).toEqual([]);
    expect(folder.refused).toEqual([]);
  });

  test("takes a ConfigMap whose folder is exchanged, each file whole", async () => {
    const files = ["one.yaml", "two.yaml"];
    const publish = (version: number): void => {
      const made = `..${version}`;
      mkdirSync(join(folder.path, made));
      files.forEach((name, at) => {
        writeFileSync(
          join(folder.path, made, name),
          fileOf(version, SERVICES.slice(2 * at, 2 * at + 2)),
        );
      });
      symlinkSync(made, join(folder.path, "..data_tmp"));
      renameSync(join(folder.path, "..data_tmp"), join(folder.path, "..data"));
      rmSync(join(folder.path, `..${version - 1}`), { recursive: true, force: true });
    };
    publish(1);
    for (const name of files) symlinkSync(join("..data", name), join(folder.path, name));
    await folder.start();
    for (let version = 2; version < 5; version++) {
      publish(version);
      await folder.has(version);
    }
    expect(folder.states).toEqual([1, 2, 3, 4].map(stateOf));
    expect(folder.refused).toEqual([]);
  });

  test("says so when a file never is quiet, and takes it when it is", async () => {
    const path = join(folder.path, "a.yaml");
    writeFileSync(path, fileOf(1));
    const clock = new HeldClock();
    clock.isHeld = false;
    await folder.start(clock);
    writeFileSync(path, "");
    const writer = setInterval(() => appendFileSync(path, fileOf(2, ["a"])), 10);
    try {
      await new Promise((resolve) => setTimeout(resolve, 200));
      clock.skippedMs += 60_000;
      await until(() => folder.refused.length > 0, "a refusal");
      expect(folder.refused[0]).toMatch(/has been written for 10 s .* rename it to this one/);
      expect(folder.states.every((state) => state === stateOf(1))).toBe(true);
    } finally {
      clearInterval(writer);
    }
    writeFileSync(path, fileOf(3));
    await folder.has(3);
  });
});
