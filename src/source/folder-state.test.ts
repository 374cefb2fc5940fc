import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../config/object.ts";
import { type FileContent, FolderState } from "./folder-state.ts";
import type { ConfigBatch, RefusedInput } from "./source.ts";

function object(name: string, value = "1"): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default", labels: { value } },
  };
}

function content(
  file: string,
  names: readonly string[],
  problems: readonly RefusedInput[] = [],
): FileContent {
  const objects = names.map((text, index) => {
    const [name = "", value] = text.split("=");
    return { object: object(name, value), origin: { file, line: index + 1 } };
  });
  return { objects, problems };
}

function broken(file: string, name?: string): RefusedInput {
  return {
    origin: { file, line: 9 },
    ...(name !== undefined && { object: `Service/default/${name}` }),
    issue: { path: "", message: "broken" },
  };
}

const summary = ({ events }: ConfigBatch): string[] =>
  events.map((event) =>
    event.type === "set"
      ? `${event.object.metadata.name}=${event.object.metadata.labels?.["value"]}`
      : `-${event.key.name}`,
  );

function after(...files: readonly FileContent[]): FolderState {
  const state = new FolderState();
  for (const file of files) state.setFile(file.objects[0]?.origin.file ?? "", file);
  state.takeBatch();
  return state;
}

describe("FolderState", () => {
  test("`takeBatch()` says what came, changed and went", () => {
    const state = after(content("a", ["x", "y"]));
    state.setFile("a", content("a", ["x=2", "z"]));
    expect(summary(state.takeBatch())).toEqual(["x=2", "z=1", "-y"]);
    state.removeFile("a");
    expect(summary(state.takeBatch())).toEqual(["-x", "-z"]);
    expect(summary(state.takeBatch())).toEqual([]);
  });

  test("`takeBatch()` keeps the identity of an object that only moved", () => {
    const state = new FolderState();
    state.setFile("a", content("a", ["x"]));
    const [first] = state.takeBatch().events;
    state.setFile("a", content("a", ["w", "x"]));
    const moved = state
      .takeBatch()
      .events.find((event) => event.type === "set" && event.object.metadata.name === "x");
    expect(moved).toMatchObject({ origin: { line: 2 } });
    expect(moved?.type === "set" && first?.type === "set" && moved.object === first.object).toBe(
      true,
    );
  });

  test("a document that does not parse keeps every object that is missing now", () => {
    const state = after(content("a", ["x", "y"]));
    state.setFile("a", content("a", ["y=2"], [broken("a")]));
    const batch = state.takeBatch();
    expect(summary(batch)).toEqual(["y=2"]);
    expect(batch.refused).toEqual([broken("a")]);
  });

  test("a broken object that has a name keeps itself only", () => {
    const state = after(content("a", ["x", "y", "z"]));
    state.setFile("a", content("a", ["z"], [broken("a", "x")]));
    expect(summary(state.takeBatch())).toEqual(["z=1", "-y"]);
  });

  test("a repaired file is refused no more", () => {
    const state = after(content("a", ["x"]));
    state.setFile("a", content("a", [], [broken("a")]));
    expect(state.takeBatch().refused).toHaveLength(1);
    state.setFile("a", content("a", ["x"]));
    expect(state.takeBatch()).toMatchObject({ refused: [] });
  });

  test("of objects in two files the first by name wins, whatever came first", () => {
    const state = after(content("b", ["x=2"]));
    state.setFile("a", content("a", ["x=1"]));
    const batch = state.takeBatch();
    expect(summary(batch)).toEqual(["x=1"]);
    expect(batch.refused).toEqual([
      {
        origin: { file: "b", line: 1 },
        object: "Service/default/x",
        issue: {
          path: "",
          message: "is defined at a:1 already, which wins: remove one of the two",
        },
      },
    ]);
    state.removeFile("a");
    expect(summary(state.takeBatch())).toEqual(["x=2"]);
  });

  test("`restoreFile()` brings back what a broken file held in an earlier run", () => {
    const state = new FolderState();
    state.restoreFile("a", content("a", ["x"]).objects);
    state.setFile("a", content("a", [], [broken("a")]));
    expect(summary(state.takeBatch())).toEqual(["x=1"]);
  });

  test("the way to some files does not matter, and batches add up to what they hold", () => {
    const file = fc.constantFrom("a", "b", "c");
    const names = fc.array(fc.constantFrom("x", "x=2", "y", "z=3"), { maxLength: 4 });
    const step = fc.record({ file, names: fc.option(names, { nil: undefined }) });
    const check = (steps: readonly { file: string; names: string[] | undefined }[]): void => {
      const state = new FolderState();
      const last = new Map<string, FileContent>();
      const seen = new Map<string, string>();
      let refused: readonly RefusedInput[] = [];
      for (const { file: name, names: held } of steps) {
        if (held === undefined) state.removeFile(name);
        else state.setFile(name, content(name, held));
        if (held === undefined) last.delete(name);
        else last.set(name, content(name, held));
        const batch = state.takeBatch();
        ({ refused } = batch);
        for (const event of batch.events) {
          if (event.type === "delete") seen.delete(event.key.name);
          else seen.set(event.object.metadata.name, JSON.stringify(event));
        }
      }
      const fresh = new FolderState();
      for (const [name, held] of [...last].toReversed()) fresh.setFile(name, held);
      const whole = fresh.takeBatch();
      const expected = whole.events.map((event) => JSON.stringify(event));
      expect([...seen.values()].sort()).toEqual(expected.sort());
      expect(refused).toEqual(steps.length === 0 ? [] : whole.refused);
      state.startOver();
      expect(state.takeBatch()).toEqual(whole);
    };
    fc.assert(fc.property(fc.array(step, { maxLength: 8 }), check));
  });
});
