import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isError } from "../../src/base/issue.ts";
import { decodeObject } from "../../src/config/decode.ts";
import { KINDS } from "../../src/config/kinds.ts";
import { findCases } from "../programs.ts";

const cases = findCases();

interface PeerCase {
  readonly id: string;
  readonly expect: "valid" | "invalid";
  readonly object: { readonly kind: string };
}

/** The cases of the kinds that are built. */
function readCases(folder: string): readonly PeerCase[] {
  const lines = readFileSync(`${folder}/validate/cases.jsonl`, "utf8").trim().split("\n");
  return lines
    .map((line) => JSON.parse(line) as PeerCase)
    .filter(({ object }) => KINDS.some(({ kind }) => kind === object.kind));
}

describe.skipIf(cases === undefined)("Istio's validation cases", () => {
  it.each(cases === undefined ? [] : readCases(cases))(
    "$id is $expect",
    ({ object, expect: verdict }) => {
      const result = decodeObject(object);
      const errors = result.ok ? [] : result.issues.filter(isError);
      const isUnbuilt = errors.some(({ message }) => message.includes("not supported yet"));
      // What is not built is refused by name: the peer's verdict is due when it is.
      expect(isUnbuilt || (errors.length === 0) === (verdict === "valid")).toBe(true);
    },
  );
});
