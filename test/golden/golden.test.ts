import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { formatIssue } from "../../src/base/issue.ts";
import { formatKey } from "../../src/config/object.ts";
import { buildMesh } from "../../src/model/mesh.ts";
import type { ObjectIssue } from "../../src/model/origin.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { meshIssues } from "../../src/model/references.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { resourceJson } from "../../src/xds/resource-json.ts";
import type { ResourceKind } from "../../src/xds/snapshot.ts";
import { type GoldenCase, type Output, readCases } from "./golden-case.ts";

const isUpdating = process.env["UPDATE_GOLDEN"] === "1";

const KIND: Readonly<Record<Output, ResourceKind>> = {
  listeners: "listener",
  routes: "route",
  clusters: "cluster",
  endpoints: "endpoint",
};

/** The files of a case by their path in `out/`, with what they should hold. */
function buildOutputs({ objects, proxies, show }: GoldenCase): ReadonlyMap<string, string> {
  const mesh = buildMesh(viewOf(objects));
  const files = new Map<string, string>();
  const issues = [...meshIssues(mesh)];
  for (const { name, node } of proxies) {
    const result = buildSnapshot(buildProxyView(mesh, node));
    issues.push(...result.issues);
    for (const output of show) {
      const kind = KIND[output];
      const resources = [...result.snapshot.resources[kind].values()];
      const json = resources.map((resource) => resourceJson(kind, resource));
      files.set(
        `${name}/${output}.yaml`,
        stringify(json, { lineWidth: 0, aliasDuplicateObjects: false }),
      );
    }
  }
  files.set("issues.yaml", stringify(issues.map(formatObjectIssue), { lineWidth: 0 }));
  return files;
}

function formatObjectIssue({ object, issue }: ObjectIssue): string {
  return `${issue.severity ?? "error"}: ${formatKey(object)}: ${formatIssue(issue)}`;
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
