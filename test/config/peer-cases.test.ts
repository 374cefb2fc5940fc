import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import type { Issue } from "../../src/base/issue.ts";
import { isError } from "../../src/base/issue.ts";
import { decodeObject } from "../../src/config/decode.ts";
import { KINDS } from "../../src/config/kinds.ts";
import { findCases } from "../programs.ts";

const cases = findCases();

interface PeerCase {
  readonly id: string;
  readonly expect: "valid" | "invalid";
  readonly warning?: string;
  readonly object: { readonly kind: string };
}

/** Istio's tests of its webhook, of the kinds that are built. */
function readCases(folder: string): readonly PeerCase[] {
  const lines = readFileSync(`${folder}/validate/cases.jsonl`, "utf8").trim().split("\n");
  return lines
    .map((line) => JSON.parse(line) as PeerCase)
    .filter(({ object }) => KINDS.some(({ kind }) => kind === object.kind));
}

/** Istio's files of objects; those that a server must refuse say so in `_err`. */
function readFiles(folder: string): readonly PeerCase[] {
  return ["crds", "legacy-valid", "integration"].flatMap((name) =>
    readdirSync(`${folder}/validate/${name}`)
      // These are not YAML on purpose, and a template.
      .filter((file) => file.endsWith(".yaml") && !["invalid.yaml", "authz-b.yaml"].includes(file))
      .flatMap((file) => readObjects(`${folder}/validate/${name}/${file}`, `${name}/${file}`)),
  );
}

function readObjects(path: string, file: string): readonly PeerCase[] {
  // Go's parser takes this as text, as it is meant; by YAML's grammar it is a key.
  const text = readFileSync(path, "utf8").replace("001:db8::]", '"001:db8::"]');
  return parseAllDocuments(text).flatMap((document, at) => {
    const value = document.toJS() as { kind: string; _err?: string } | null;
    if (value === null || !KINDS.some(({ kind }) => kind === value.kind)) return [];
    const { _err, ...object } = value;
    return [{ id: `${file}#${at}`, expect: _err === undefined ? "valid" : "invalid", object }];
  });
}

/** Files of older versions have fields that are gone, which a server drops. */
function issuesOf(object: object, isOld: boolean): readonly Issue[] {
  const result = decodeObject(object, { unknownFields: isOld ? "ignore" : "error" });
  return result.ok ? (result.warnings ?? []) : result.issues;
}

describe.skipIf(cases === undefined)("Istio's validation cases", () => {
  it.each(cases === undefined ? [] : [...readCases(cases), ...readFiles(cases)])(
    "$id is $expect",
    ({ id, object, expect: verdict, warning }) => {
      const issues = issuesOf(object, id.startsWith("legacy-valid/"));
      const errors = issues.filter(isError);
      const isUnbuilt = errors.some(({ message }) => message.includes("not supported yet"));
      if (isUnbuilt) return;
      // What is not built is refused by name: the peer's verdict is due when it is.
      expect({ verdict: errors.length === 0 ? "valid" : "invalid", issues }).toMatchObject({
        verdict,
      });
      const isWarned = issues.some((issue) => !isError(issue));
      expect({ isWarned: isWarned || warning === undefined, issues }).toMatchObject({
        isWarned: true,
      });
    },
  );
});
