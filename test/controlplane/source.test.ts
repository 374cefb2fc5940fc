import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { FolderSource } from "../../src/source/folder-source.ts";
import type { ConfigBatch, ConfigSource } from "../../src/source/source.ts";
import { until } from "./until.ts";

const SERVICE = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata:\n  name: ${name}\nspec:\n  ports:\n  - port: ${port}\n`;

/** A source that runs, and what it said. */
class Running {
  readonly batches: ConfigBatch[] = [];
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;

  constructor(source: ConfigSource) {
    this.#ended = source.run((batch) => this.batches.push(batch), this.#controller.signal);
  }

  /** Names and ports of the services there are by now. */
  services(): Record<string, number> {
    const services: Record<string, number> = {};
    for (const event of this.batches.flatMap(({ events }) => events)) {
      if (event.type === "delete") delete services[event.key.name];
      else {
        const { spec } = event.object as unknown as { spec: { ports: { port: number }[] } };
        services[event.object.metadata.name] = spec.ports[0]?.port ?? 0;
      }
    }
    return services;
  }

  refused(): string[] {
    return (this.batches.at(-1)?.refused ?? []).map(
      ({ origin, object, issue }) =>
        `${origin?.file}:${origin?.line}: ${object ?? "-"}: ${issue.path}: ${issue.message}`,
    );
  }

  async has(services: Record<string, number>): Promise<void> {
    const wanted = JSON.stringify(services);
    await until(() => JSON.stringify(this.services()) === wanted, wanted);
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }
}

const running: Running[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function start(source: ConfigSource): Running {
  const one = new Running(source);
  running.push(one);
  return one;
}

class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "weft-source-"));
  readonly lastGoodFile = `${this.path}.last-good`;

  constructor() {
    folders.push(this.path, this.lastGoodFile, `${this.lastGoodFile}.journal`);
  }

  write(name: string, text: string): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  source(): FolderSource {
    return new FolderSource({
      folder: this.path,
      clock: nodeClock,
      lastGoodFile: this.lastGoodFile,
    });
  }
}

describe("FolderSource", () => {
  test("reads files of folders in folders, and leaves the others alone", async () => {
    const folder = new Folder();
    folder.write("a.yaml", SERVICE("a"));
    folder.write("deep/er/b.yml", SERVICE("b"));
    folder.write(
      "c.json",
      JSON.stringify({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "c" },
        spec: { ports: [{ port: 3 }] },
      }),
    );
    folder.write("notes.txt", "not: [yaml");
    folder.write(".hidden/d.yaml", SERVICE("d"));
    folder.write("a.yaml~", SERVICE("e"));
    const one = start(folder.source());
    await one.has({ a: 80, c: 3, b: 80 });
    expect(one.batches).toHaveLength(1);
  });

  test("sees files that are written in place, renamed into place, moved and removed", async () => {
    const folder = new Folder();
    const path = folder.write("a.yaml", SERVICE("a"));
    const one = start(folder.source());
    await one.has({ a: 80 });
    folder.write("a.yaml", SERVICE("a", 81));
    await one.has({ a: 81 });
    folder.write("a.yaml.tmp", SERVICE("a", 82));
    renameSync(`${path}.tmp`, path);
    await one.has({ a: 82 });
    folder.write("new/b.yaml", SERVICE("b"));
    await one.has({ a: 82, b: 80 });
    folder.write("new/b.yaml", SERVICE("b", 90));
    await one.has({ a: 82, b: 90 });
    rmSync(join(folder.path, "new"), { recursive: true });
    await one.has({ a: 82 });
    expect(one.refused()).toEqual([]);
  });

  test("says where a mistake is, and keeps what was last good", async () => {
    const folder = new Folder();
    folder.write("b.yaml", SERVICE("b"));
    const path = folder.write("a.yaml", `${SERVICE("x")}---\n${SERVICE("y")}`);
    const one = start(folder.source());
    await one.has({ x: 80, y: 80, b: 80 });

    folder.write("a.yaml", `${SERVICE("x", 81)}---\n${SERVICE("y").replace("ports", "prots")}`);
    await one.has({ x: 81, y: 80, b: 80 });
    expect(one.refused()).toEqual([
      expect.stringMatching(/a\.yaml:14: Service\/default\/y: spec\.prots: .*did you mean "ports"/),
    ]);
    expect(one.refused()[0]).toContain(`${path}:14`);

    folder.write("a.yaml", "apiVersion: [");
    await until(() => one.refused()[0]?.includes("a.yaml:1: -:"), "the refusal");
    expect(one.services()).toEqual({ x: 81, y: 80, b: 80 });

    folder.write("a.yaml", SERVICE("x", 82));
    await one.has({ x: 82, b: 80 });
    expect(one.refused()).toEqual([]);
  });

  test("keeps the last good version over a restart, for its owner only", async () => {
    const folder = new Folder();
    folder.write("a.yaml", SERVICE("a", 81));
    folder.write("gone.yaml", SERVICE("gone"));
    const first = start(folder.source());
    await first.has({ a: 81, gone: 80 });
    await until(() => statSync(folder.lastGoodFile, { throwIfNoEntry: false }), "the file");
    await first.stop();
    expect(statSync(folder.lastGoodFile).mode & 0o777).toBe(0o600);

    folder.write("a.yaml", SERVICE("a").replace("ports", "prots"));
    rmSync(join(folder.path, "gone.yaml"));
    const second = start(folder.source());
    await second.has({ a: 81 });
    expect(second.batches).toHaveLength(1);
    expect(second.refused()).toHaveLength(1);
  });

  test("keeps every change over a restart, though a kill cuts the journal off", async () => {
    const folder = new Folder();
    folder.write("a.yaml", SERVICE("a", 81));
    folder.write("b.yaml", SERVICE("b", 81));
    folder.write("gone.yaml", SERVICE("gone"));
    const journal = `${folder.lastGoodFile}.journal`;
    const first = start(folder.source());
    await until(() => statSync(journal, { throwIfNoEntry: false }), "the journal");
    const whole = readFileSync(folder.lastGoodFile, "utf8");
    const lines = (): number => readFileSync(journal, "utf8").split("\n").length - 2;
    for (const port of [82, 83]) {
      folder.write("a.yaml", SERVICE("a", port));
      await until(() => lines() === port - 81, `the change to ${port}`);
    }
    rmSync(join(folder.path, "gone.yaml"));
    await until(() => lines() === 3, "the removal");
    await first.stop();
    expect(readFileSync(folder.lastGoodFile, "utf8")).toBe(whole);
    expect(statSync(journal).mode & 0o777).toBe(0o600);

    appendFileSync(journal, '{"file":"half');
    for (const name of ["a", "b", "gone"]) folder.write(`${name}.yaml`, "kind: [");
    const second = start(folder.source());
    await second.has({ a: 83, b: 81 });
    await second.stop();

    // The next run began a file and a journal of its own: one of before counts no more.
    const third = start(folder.source());
    await third.has({ a: 83, b: 81 });
  });

  test("a journal that goes on from another file is left alone", async () => {
    const folder = new Folder();
    const path = folder.write("a.yaml", SERVICE("a", 81));
    const first = start(folder.source());
    const journal = `${folder.lastGoodFile}.journal`;
    await until(() => statSync(journal, { throwIfNoEntry: false }), "the journal");
    await first.stop();
    writeFileSync(journal, `${"0".repeat(64)}\n${JSON.stringify({ file: path })}\n`);
    folder.write("a.yaml", "kind: [");
    const second = start(folder.source());
    await second.has({ a: 81 });
    expect(second.refused()).toEqual([expect.stringContaining(`${path}:1`)]);
  });

  test("a broken file of last good objects is said and does no harm", async () => {
    const folder = new Folder();
    folder.write("a.yaml", SERVICE("a"));
    writeFileSync(folder.lastGoodFile, "{");
    const one = start(folder.source());
    await one.has({ a: 80 });
    expect(one.refused()).toEqual([expect.stringContaining("cannot be used")]);
  });

  test("a folder that goes away changes nothing and is said", async () => {
    const folder = new Folder();
    folder.write("a.yaml", SERVICE("a"));
    const one = start(folder.source());
    await one.has({ a: 80 });
    renameSync(folder.path, `${folder.path}.away`);
    await until(() => one.refused().length === 1, "the refusal");
    expect(one.refused()[0]).toContain("everything stays as it is");
    expect(one.services()).toEqual({ a: 80 });
    renameSync(`${folder.path}.away`, folder.path);
    await until(() => one.refused().length === 0, "the repair");
  });

  test("an empty folder gives one empty batch", async () => {
    const one = start(new Folder().source());
    await until(() => one.batches.length > 0, "the first batch");
    expect(one.batches).toEqual([{ events: [], refused: [] }]);
  });
});
