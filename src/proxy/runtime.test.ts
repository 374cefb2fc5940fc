import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { LayeredRuntimeSchema } from "../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import { formatIssue, type Issue } from "../base/issue.ts";
import type { RuntimeReader } from "../match/runtime-reader.ts";
import { LayeredRuntime } from "./layered-runtime.ts";
import { decodeRuntime } from "./runtime.ts";

function decode(layers: readonly JsonValue[]): { reader: RuntimeReader; issues: string[] } {
  const issues: Issue[] = [];
  const message = fromJson(LayeredRuntimeSchema, { layers: [...layers] });
  return {
    reader: new LayeredRuntime(decodeRuntime(message, issues)),
    issues: issues.map(formatIssue),
  };
}

describe("decodeRuntime()", () => {
  test("lets later layers win, key by key", () => {
    const { reader, issues } = decode([
      { name: "one", static_layer: { a: { b: 1, c: 2 }, share: { numerator: 5 } } },
      {
        name: "two",
        static_layer: { "a.b": "3", share: { numerator: 1, denominator: "MILLION" } },
      },
      { name: "admin", admin_layer: {} },
    ]);
    expect(issues).toEqual([]);
    const seen = ["a.b", "a.c", "a", "share", "other"].map((key) => [
      reader.integer(key),
      reader.share(key),
    ]);
    expect(seen).toEqual([
      [3, 0.03],
      [2, 0.02],
      [undefined, undefined],
      [undefined, 0.000_001],
      [undefined, undefined],
    ]);
  });

  test("gives no number for what is none", () => {
    const { reader } = decode([{ name: "one", static_layer: { a: "x", b: true, c: -1, d: 0.5 } }]);
    for (const key of "abcd") expect(reader.integer(key)).toBeUndefined();
  });

  const refused: [JsonValue[], string][] = [
    [[{ name: "a", disk_layer: {} }], "layered_runtime.layers[0].disk_layer: is not supported yet"],
    [[{ name: "a", rtds_layer: {} }], "layered_runtime.layers[0].rtds_layer: is not supported yet"],
    [
      [
        { name: "a", admin_layer: {} },
        { name: "a", static_layer: {} },
      ],
      "layered_runtime.layers[1]: Duplicate layer name: a",
    ],
    [[{ name: "a" }], "layered_runtime.layers[0]: layer specifier must be set"],
    [
      [
        { name: "a", admin_layer: {} },
        { name: "b", admin_layer: {} },
      ],
      "layered_runtime: Too many admin layers specified in LayeredRuntime, at most one may be specified",
    ],
    [
      [{ name: "a", static_layer: { k: { numerator: "x" } } }],
      'layered_runtime.layers[0].static_layer["k"]: is no fraction',
    ],
    [
      [{ name: "a", static_layer: { k: { numerator: 1, denominator: "TEN" } } }],
      'layered_runtime.layers[0].static_layer["k"]: is no fraction',
    ],
    [
      [{ name: "a", static_layer: { k: [1] } }],
      'layered_runtime.layers[0].static_layer["k"]: Invalid runtime entry value',
    ],
    [
      [{ name: "a", static_layer: { upstream: { use_retry: 0 } } }],
      'layered_runtime.layers[0].static_layer: the key "upstream.use_retry" is not supported yet',
    ],
  ];
  test.each(refused)("refuses %j", (layers, issue) => {
    expect(decode(layers).issues).toEqual([issue]);
  });
});
