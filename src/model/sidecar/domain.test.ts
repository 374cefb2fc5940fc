import { describe, expect, test } from "vitest";
import { shortNames, withPort } from "./domain.ts";

describe("shortNames()", () => {
  test.each([
    // A client's search path is that of its namespace.
    [
      "a.default.svc.cluster.local",
      "default.svc.cluster.local",
      ["a", "a.default.svc", "a.default"],
    ],
    ["a.other.svc.cluster.local", "default.svc.cluster.local", ["a.other", "a.other.svc"]],
    // A name of more parts is no service's of that namespace, but one's of the namespace it says.
    [
      "x.a.default.svc.cluster.local",
      "default.svc.cluster.local",
      ["x.a.default", "x.a.default.svc"],
    ],
    ["a.default.svc.other.domain", "default.svc.cluster.local", []],
    ["www.example.com", "default.svc.cluster.local", []],
    ["svc.cluster.local", "default.svc.cluster.local", []],
    // Outside of Kubernetes.
    ["foo.local.campus.net", "local.campus.net", ["foo"]],
    ["foo.local.campus.net", "remote.campus.net", ["foo.local", "foo.local.campus"]],
    ["foo.local.campus.net", "example.com", []],
  ])("%s for clients in %s", (hostname, dnsDomain, expected) => {
    expect(shortNames(hostname, dnsDomain)).toEqual(expected);
  });
});

describe("withPort()", () => {
  test.each([
    [80, ["a", "a:80", "[::1]", "[::1]:80"]],
    [9080, ["a:9080", "[::1]:9080"]],
  ])("on port %i", (port, all) => {
    expect(withPort({ all: ["a", "[::1]"], short: new Set() }, port).all).toEqual(all);
  });
});
