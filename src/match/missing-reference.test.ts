import { describe, expect, test } from "vitest";
import type { MetadataValue } from "./match-request.ts";
import { missingReference } from "./missing-reference.ts";

const CLUSTER = "outbound|80|v9|reviews.default.svc.cluster.local";

describe("missingReference()", () => {
  const cases: readonly [string, { readonly [key: string]: MetadataValue }, string | undefined][] =
    [
      [
        "the word for this cluster",
        { weft: { missing: { [CLUSTER]: "subset_not_found" } } },
        "subset_not_found",
      ],
      ["nothing for another", { weft: { missing: { other: "host_not_found" } } }, undefined],
      ["nothing without metadata", {}, undefined],
      ["nothing of another namespace", { istio: { missing: { [CLUSTER]: "x" } } }, undefined],
      ["nothing where it is no map", { weft: { missing: [CLUSTER] } }, undefined],
      ["nothing that is no text", { weft: { missing: { [CLUSTER]: 5 } } }, undefined],
      ["nothing that would break a line", { weft: { missing: { [CLUSTER]: "a\nb" } } }, undefined],
    ];
  test.each(cases)("finds %s", (_name, metadata, reason) => {
    expect(missingReference(metadata, CLUSTER)).toBe(reason);
  });

  test("takes nothing from what every object has", () => {
    expect(missingReference({ weft: { missing: {} } }, "constructor")).toBeUndefined();
  });
});
