import { describe, expect, test } from "vitest";
import { HeaderList } from "../http/header-list.ts";
import { upstreamNames } from "./upstream-names.ts";

const BOTH = { setsServerName: true, checksCertificate: true, header: "" };

describe("upstreamNames()", () => {
  test.each([
    ["a.example", "a.example", "a.example"],
    ["a.example:8443", "a.example", "a.example"],
    ["127.0.0.1:80", "", "127.0.0.1"],
    ["[::1]:80", "", "::1"],
    ["::1", "", "::1"],
    ["", "", ""],
  ])("of %s", (authority, serverName, certifiedName) => {
    const headers = new HeaderList();
    expect(upstreamNames(BOTH, { authority, headers })).toEqual({ serverName, certifiedName });
  });

  test("says nothing that is not asked for", () => {
    const request = { authority: "a", headers: new HeaderList() };
    expect(upstreamNames({ ...BOTH, setsServerName: false }, request).serverName).toBe("");
    expect(upstreamNames({ ...BOTH, checksCertificate: false }, request).certifiedName).toBe("");
  });

  test("takes a header's word unless it is empty", () => {
    const headers = new HeaderList();
    const rules = { ...BOTH, header: "x-name" };
    expect(upstreamNames(rules, { authority: "a", headers }).serverName).toBe("a");
    headers.set("x-name", "b:1");
    expect(upstreamNames(rules, { authority: "a", headers }).serverName).toBe("b");
  });
});
