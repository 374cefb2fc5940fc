import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { formatKey, type KubeObject } from "../../src/config/object.ts";
import { decodeYaml } from "../../src/config/yaml.ts";
import { buildMesh } from "../../src/model/mesh.ts";
import { meshIssues } from "../../src/model/mesh-issues.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { type SnapshotJson, snapshotJson } from "../../src/xds/resource-json.ts";
import { findProgram } from "../programs.ts";
import { ENVOYS, PROXIES } from "../property/random-world.ts";
import { refusalsOfWeft } from "../property/world-properties.ts";
import { readResources } from "../routing/proxy-resources.ts";
import { refusalOfEnvoy } from "../routing/validate-with-envoy.ts";
import { HOSTILE, WORLD } from "./hostile-objects.ts";

const envoy = findProgram("envoy");

/**
 * What is said of each of them, `UPDATE_GOLDEN=1` renews it; read the difference as code. A name
 * with nothing below it is taken as it stands, and whole.
 */
const SAID = new URL("said.txt", import.meta.url);
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";
const expected = isUpdate ? new Map<string, string>() : readSaid();
const said = new Map<string, string>();

/** How much of a long line is kept. */
const LINE_MAX = 400;
/** How many lines of one case are kept: the rest says the same of its neighbours. */
const LINES_MAX = 12;

/** What the world says by itself: `bare` has no address for the port that `a` has too. */
const OF_THE_WORLD = linesOf("");

function readSaid(): ReadonlyMap<string, string> {
  const blocks = readFileSync(SAID, "utf8")
    .trimEnd()
    .split(/\n(?=\S)/);
  return new Map(blocks.map((block) => [block.split("\n", 1)[0] ?? "", block]));
}

function objectsOf(yaml: string): { readonly objects: readonly KubeObject[]; lines: string[] } {
  const { objects, problems } = decodeYaml(`${WORLD}\n---\n${yaml}`, "", {
    defaultNamespace: "default",
  });
  const lines = problems.map(
    ({ object, issue }) => `${issue.severity ?? "error"}: ${object}: ${formatIssue(issue)}`,
  );
  const aged = objects.map(({ object }, at) => ({
    ...object,
    metadata: { ...object.metadata, creationTimestamp: new Date(at * 1000).toISOString() },
  }));
  return { objects: aged, lines };
}

/** All that the commands and the status would say, of the objects and of each kind of proxy. */
function linesOf(yaml: string): readonly string[] {
  const { objects, lines } = objectsOf(yaml);
  const mesh = buildMesh(viewOf(objects));
  const found = [
    ...meshIssues(mesh),
    ...[...PROXIES, ...ENVOYS].flatMap((proxy) => buildProxyView(mesh, proxy).issues),
  ].map(({ object, issue }) => `warning: ${formatKey(object)}: ${formatIssue(issue)}`);
  return [...new Set([...lines, ...found])];
}

function sayOf(name: string, yaml: string): string {
  const lines = linesOf(yaml).filter((line) => !OF_THE_WORLD.includes(line));
  const kept = lines
    .slice(0, LINES_MAX)
    .map((line) => `  ${JSON.stringify(line).slice(1, -1).slice(0, LINE_MAX)}`);
  const rest = lines.length > LINES_MAX ? [`  and ${lines.length - LINES_MAX} more`] : [];
  return [name, ...kept, ...rest].join("\n");
}

afterAll(() => {
  if (isUpdate) writeFileSync(SAID, `${[...said.values()].join("\n")}\n`);
});

describe("objects that ask for trouble", () => {
  test("have names of their own, and all that is written down is tried", () => {
    const names = HOSTILE.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect([...expected.keys()].sort()).toEqual(isUpdate ? [] : names.toSorted());
  });

  test.each(HOSTILE)("$name: is said, and weft's proxy takes the rest", ({ name, yaml }) => {
    const text = sayOf(name, yaml);
    said.set(name, text);
    expect(text).toBe(isUpdate ? text : expected.get(name));
    const mesh = buildMesh(viewOf(objectsOf(yaml).objects));
    for (const proxy of PROXIES) {
      const { snapshot } = buildSnapshot(buildProxyView(mesh, proxy));
      const refusals = refusalsOfWeft(snapshot).filter((line) => !isSaid(line, text));
      expect([proxy.id, ...refusals].join("\n")).toBe(proxy.id);
      if (refusalsOfWeft(snapshot).length === 0) readResources(snapshotJson(snapshot));
    }
  });

  test.skipIf(envoy === undefined).each(HOSTILE)("$name: Envoy takes it", ({ yaml }) => {
    const mesh = buildMesh(viewOf(objectsOf(yaml).objects));
    for (const proxy of ENVOYS) {
      const { snapshot } = buildSnapshot(buildProxyView(mesh, proxy));
      expect(`${proxy.id}${verdictOf(snapshotJson(snapshot)) ?? ""}`).toBe(proxy.id);
    }
  });
});

/** Most cases are about one of the proxies; Envoy is asked once for what it was asked before. */
const verdicts = new Map<string, string | undefined>();

function verdictOf(json: SnapshotJson): string | undefined {
  const text = JSON.stringify(json);
  if (!verdicts.has(text)) verdicts.set(text, refusalOfEnvoy(envoy ?? "", json));
  return verdicts.get(text);
}

/** What cannot be known before a proxy tries, or was said to be refused by weft's proxy alone. */
function isSaid(refusal: string, text: string): boolean {
  return (
    refusal.includes("Invalid path: /nowhere/") ||
    (refusal.includes(".pipe.path:") && text.includes("weft's own proxy refuses it"))
  );
}
