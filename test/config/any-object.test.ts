import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isError } from "../../src/base/issue.ts";
import { decodeAs, decodeObject } from "../../src/config/decode.ts";
import { apiVersionOf } from "../../src/config/kind.ts";
import { KINDS } from "../../src/config/kinds.ts";
import { arbitraryOf } from "./arbitrary-object.ts";

const seed = Number(process.env["SEED"] ?? 1);
const numRuns = Number(process.env["TABLES"] ?? 80);

describe("any object", () => {
  it.each(KINDS.map((kind) => [kind.kind, kind] as const))(
    "%s is taken or refused with a path, never thrown at",
    (_, kind) => {
      const { metadata: _metadata, ...properties } = kind.schema.properties ?? {};
      const body = arbitraryOf({ ...kind.schema, properties });
      const object = body.map((value) => ({
        ...(typeof value === "object" ? value : { spec: value }),
        apiVersion: apiVersionOf(kind),
        kind: kind.kind,
        metadata: { name: "a", ...(kind.isNamespaced ? { namespace: "b" } : {}) },
      }));
      fc.assert(
        fc.property(object, (raw) => {
          const result = decodeAs(kind, raw);
          const issues = result.ok ? (result.warnings ?? []) : result.issues;
          expect(issues.some(isError)).toBe(!result.ok);
          expect(issues.every(({ message }) => message !== "")).toBe(true);
          // Whatever is accepted is accepted again: a server reads what it wrote.
          expect(!result.ok || decodeAs(kind, result.value).ok).toBe(true);
        }),
        { seed, numRuns },
      );
    },
  );

  it("that is any JSON at all is refused", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (raw) => {
        expect(decodeObject(raw).ok).toBe(false);
      }),
      { seed, numRuns },
    );
  });
});
