import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { formatIssue } from "../../src/base/issue.ts";
import { formatKey } from "../../src/config/object.ts";
import { buildCalledView } from "../../src/model/called-view.ts";
import { buildMesh } from "../../src/model/mesh.ts";
import { meshIssues } from "../../src/model/mesh-issues.ts";
import type { ObjectIssue } from "../../src/model/origin.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { snapshotJson } from "../../src/xds/resource-json.ts";
import { readResources } from "../routing/proxy-resources.ts";
import { simulate } from "../routing/simulate.ts";
import { type GoldenCase, readCases } from "./golden-case.ts";

const isUpdating = process.env["UPDATE_GOLDEN"] === "1";

/** The files of a case by their path in `out/`, with what they should hold. */
function buildOutputs({ objects, proxies, show }: GoldenCase): ReadonlyMap<string, string> {
  const mesh = buildMesh(viewOf(objects));
  const files = new Map<string, string>();
  const issues = [...meshIssues(mesh)];
  for (const { name, node } of proxies) {
    const result = buildSnapshot(buildCalledView(mesh, node));
    issues.push(...result.issues);
    const json = snapshotJson(result.snapshot);
    for (const output of show) {
      const form = { lineWidth: 0, aliasDuplicateObjects: false };
      files.set(`${name}/${output}.yaml`, stringify(json[output] ?? [], form));
    }
  }
  files.set("status.yaml", stringify(statusOf(issues), { lineWidth: 0 }));
  return files;
}

/** What is wrong with each object, the objects sorted by name. */
function statusOf(issues: readonly ObjectIssue[]): Readonly<Record<string, readonly string[]>> {
  const status = new Map<string, string[]>();
  for (const { object, issue } of issues) {
    const name = formatKey(object);
    const text = `${issue.severity ?? "error"}: ${formatIssue(issue)}`;
    const texts = status.get(name) ?? [];
    // Several proxies find the same.
    if (!texts.includes(text)) status.set(name, [...texts, text]);
  }
  return Object.fromEntries([...status].sort(([left], [right]) => (left < right ? -1 : 1)));
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

describe("golden", () => {
  test.each(readCases().map((one) => [one.name, one] as const))("%s", (_, one) => {
    const out = join(one.folder, "out");
    const files = buildOutputs(one);
    if (isUpdating) {
      rmSync(out, { recursive: true, force: true });
      for (const [path, text] of files) {
        mkdirSync(dirname(join(out, path)), { recursive: true });
        writeFileSync(join(out, path), text);
      }
    }
    // No output without its input, none missing: UPDATE_GOLDEN=1 renews them.
    expect(filesIn(out)).toEqual([...files.keys()].sort());
    for (const [path, text] of files) {
      expect({ path, text }).toEqual({ path, text: readFileSync(join(out, path), "utf8") });
    }
  });
});

describe("calls", () => {
  const calls = readCases().flatMap((one) =>
    Object.entries(one.calls).flatMap(([proxy, list]) =>
      list.map((call) => [one.name, proxy, formatCall(call.call), one, call] as const),
    ),
  );

  test.each(calls)("%s: %s: %s", (_, proxy, __, { objects, proxies }, { call, want }) => {
    const node = proxies.find(({ name }) => name === proxy)?.node;
    if (node === undefined) throw new Error(`calls.yaml: the case has no proxy "${proxy}"`);
    const mesh = buildMesh(viewOf(objects));
    const { snapshot } = buildSnapshot(buildCalledView(mesh, node));
    const { error, ...result } = simulate(readResources(snapshotJson(snapshot)), call);
    expect({ ...result, error }).toMatchObject({ error: undefined, ...want });
  });
});

function formatCall(call: object): string {
  return Object.entries(call)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}
