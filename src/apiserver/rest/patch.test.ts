import { describe, expect, it } from "vitest";
import { array, listMap, map, object, string } from "../../config/schema.ts";
import { jsonPatch, mergePatch } from "./patch.ts";
import { strategicMergePatch } from "./strategic-merge.ts";

describe("mergePatch()", () => {
  // RFC 7396, appendix A.
  it.each([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("%j with %j is %j", (target, patch, result) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });

  it("takes `__proto__` as a name", () => {
    const result = mergePatch({}, JSON.parse('{"__proto__": {"a": 1}}'));
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(JSON.stringify(result)).toBe('{"__proto__":{"a":1}}');
  });
});

describe("jsonPatch()", () => {
  it.each<[unknown, readonly object[], unknown]>([
    [{ a: [1] }, [{ op: "add", path: "/a/-", value: 2 }], { a: [1, 2] }],
    [{ a: [1, 3] }, [{ op: "add", path: "/a/1", value: 2 }], { a: [1, 2, 3] }],
    [{ "a/b": { "~": 1 } }, [{ op: "replace", path: "/a~1b/~0", value: 2 }], { "a/b": { "~": 2 } }],
    [{ a: [1, 2] }, [{ op: "remove", path: "/a/0" }], { a: [2] }],
    [{ a: { b: 1 } }, [{ op: "move", from: "/a/b", path: "/c" }], { a: {}, c: 1 }],
    [{ a: 1 }, [{ op: "copy", from: "/a", path: "/b" }], { a: 1, b: 1 }],
    [{ a: 1 }, [{ op: "test", path: "/a", value: 1 }], { a: 1 }],
    [{ a: 1 }, [{ op: "replace", path: "", value: {} }], {}],
  ])("%j with %j is %j", (target, patch, value) => {
    expect(jsonPatch(target, patch)).toEqual({ ok: true, value });
  });

  it.each<[unknown, unknown, RegExp]>([
    [{}, {}, /must be a list/],
    [{}, [1], /operation 0: must be an object/],
    [{}, [{ op: "add", path: "a" }], /"path" must be a JSON pointer/],
    [{}, [{ op: "add", path: "/a/b", value: 1 }], /there is no "a"/],
    [{}, [{ op: "remove", path: "/a" }], /there is no "a"/],
    [{}, [{ op: "remove", path: "/__proto__" }], /there is no "__proto__"/],
    [{ a: [] }, [{ op: "replace", path: "/a/0", value: 1 }], /no element 0 in a list of 0/],
    [{ a: [] }, [{ op: "add", path: "/a/01", value: 1 }], /no element 01/],
    [{ a: 1 }, [{ op: "test", path: "/a", value: 2 }], /test failed/],
    [{}, [{ op: "move", from: "/a", path: "/b" }], /"from" leads nowhere/],
    [{}, [{ op: "remove", path: "" }], /cannot be removed/],
    [{}, [{ op: "frobnicate", path: "/a" }], /"op" must be/],
  ])("refuses %j with %j", (target, patch, message) => {
    const result = jsonPatch(target, patch);
    expect(result.ok ? "" : result.issues[0]?.message).toMatch(message);
  });
});

describe("strategicMergePatch()", () => {
  const schema = object({
    env: listMap(["name"], object({ name: string(), value: string() })),
    args: array(string()),
    finalizers: array(string(), { "x-kubernetes-list-type": "set" }),
    labels: map(string()),
  });
  const target = {
    env: [{ name: "a", value: "1" }, { name: "b" }],
    args: ["x", "y"],
    finalizers: ["p", "q"],
    labels: { k: "v" },
  };

  it.each<[object, object]>([
    [
      { env: [{ name: "a", value: "2" }, { name: "c" }] },
      { env: [{ name: "a", value: "2" }, { name: "b" }, { name: "c" }] },
    ],
    [{ env: [{ name: "a", $patch: "delete" }] }, { env: [{ name: "b" }] }],
    [{ env: [{ $patch: "replace" }, { name: "z" }] }, { env: [{ name: "z" }] }],
    [
      { "$setElementOrder/env": [{ name: "c" }, { name: "a" }], env: [{ name: "c" }] },
      { env: [{ name: "c" }, { name: "a", value: "1" }, { name: "b" }] },
    ],
    [{ args: ["z"] }, { args: ["z"] }],
    [{ finalizers: ["q", "r"] }, { finalizers: ["p", "q", "r"] }],
    [{ "$deleteFromPrimitiveList/finalizers": ["p"] }, { finalizers: ["q"] }],
    [{ labels: { k: null, l: "w" } }, { labels: { l: "w" } }],
    [{ labels: { $patch: "replace", l: "w" } }, { labels: { l: "w" } }],
    [{ labels: null }, { labels: undefined }],
    [{ labels: { $retainKeys: ["l"], l: "w" } }, { labels: { l: "w" } }],
  ])("applies %j", (patch, changed) => {
    expect(strategicMergePatch(target, patch, schema)).toEqual({ ...target, ...changed });
  });
});
