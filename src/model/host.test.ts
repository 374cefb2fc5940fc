import { describe, expect, test } from "vitest";
import { compareHosts, intersectHosts, isWithin, narrowest, resolveHost } from "./host.ts";

test.each([
  ["reviews", "reviews.ns.svc.cluster.local"],
  ["Reviews", "reviews.ns.svc.cluster.local"],
  ["reviews.other", "reviews.other"],
  ["*", "*"],
  ["*.example.com", "*.example.com"],
  ["127.0.0.1", "127.0.0.1"],
  ["::1", "::1"],
])("resolveHost() makes of %s, in namespace ns, %s", (host, full) => {
  expect(resolveHost(host, "ns")).toBe(full);
});

test.each([
  ["foo.com", "foo.com", true],
  ["bar.foo.com", "foo.com", false],
  ["bar.foo.com", "*.foo.com", true],
  ["foo.com", "*.foo.com", false],
  ["*.foo.com", "*.com", true],
  ["*.com", "*.foo.com", false],
  ["*", "*.com", false],
  ["*", "*", true],
  ["foo.com", "*", true],
])("isWithin(%s, %s) is %s", (host, pattern, expected) => {
  expect(isWithin(host, pattern)).toBe(expected);
});

test.each([
  [["foo.com", "bar.com"], ["*.com"], ["bar.com", "foo.com"]],
  [
    ["foo.com", "*.net"],
    ["*.com", "bar.net"],
    ["bar.net", "foo.com"],
  ],
  [["foo.com", "*.net"], ["*.bar.net"], ["*.bar.net"]],
  [["*"], ["*.a.io", "b.io", "*"], ["b.io", "*.a.io", "*"]],
  [["foo.com"], ["bar.com"], []],
])("intersectHosts(%j, %j) is %j", (a, b, expected) => {
  expect(intersectHosts(a, b)).toEqual(expected);
  expect(intersectHosts(b, a)).toEqual(expected);
});

describe("the narrowest host", () => {
  test("compareHosts() puts plain names before wildcards, and longer ones first", () => {
    const hosts = ["*", "*.io", "b.io", "*.a.io", "a.io", "x.a.io"];
    expect(hosts.sort(compareHosts)).toEqual(["x.a.io", "a.io", "b.io", "*.a.io", "*.io", "*"]);
  });

  test("narrowest() chooses among those that the host is within", () => {
    expect(narrowest("x.a.io", ["*", "*.io", "*.a.io", "*.b.a.io"])).toBe("*.a.io");
    expect(narrowest("x.com", ["*.io"])).toBeUndefined();
  });
});
