import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeYaml, formatProblem } from "../../src/config/yaml.ts";
import { findCases } from "../programs.ts";

const cases = findCases();
const ISTIO =
  /^kind: (VirtualService|DestinationRule|Gateway|ServiceEntry|Sidecar|WorkloadEntry)$/m;

/** Files of objects that concern traffic, by their paths from `root`. */
function filesOf(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => ISTIO.test(readFileSync(path, "utf8")))
    .map((path) => relative(root, path))
    .sort();
}

/** Errors but for the kinds that are not built. */
function errorsIn(root: string, file: string): readonly string[] {
  const text = readFileSync(join(root, file), "utf8");
  return decodeYaml(text, file, { defaultNamespace: "default" })
    .problems.filter(({ issue }) => issue.severity !== "warning")
    .filter(({ issue }) => !/^kind ".*is not supported yet/.test(issue.message))
    .map(formatProblem);
}

const own = join(import.meta.dirname, "../../samples");

describe("samples", () => {
  it.each(filesOf(own))("%s is accepted", (file) => {
    expect(errorsIn(own, file)).toEqual([]);
  });
});

describe.skipIf(cases === undefined)("Istio's samples (skipped without them)", () => {
  const root = `${cases}/samples`;
  it.each(cases === undefined ? [] : filesOf(root))("%s is accepted", (file) => {
    expect(errorsIn(root, file)).toEqual([]);
  });
});
