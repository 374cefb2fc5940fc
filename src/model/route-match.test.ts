import { describe, expect, test } from "vitest";
import { formatIssue } from "../base/issue.ts";
import type { HttpMatch } from "../config/http-route.ts";
import { buildRouteMatch, isCatchAll, type NamedMatch, type RouteMatch } from "./route-match.ts";

function build(request: HttpMatch, hasSeparatedPrefixes = false): RouteMatch {
  const built = buildRouteMatch(request, "at", hasSeparatedPrefixes);
  if (!built.ok) throw new Error(built.issues.map(formatIssue).join("; "));
  return built.value;
}

/** `name=type:value`, `!` for what must not be so, `*` for what only must be there. */
function show({ name, text, isInverted }: NamedMatch): string {
  return `${isInverted ? "!" : ""}${name}=${text === undefined ? "*" : `${text.type}:${text.value}`}`;
}

describe("buildRouteMatch()", () => {
  test.each<[HttpMatch["uri"], string]>([
    [undefined, "prefix /"],
    [{ exact: "/a" }, "exact /a"],
    [{ prefix: "/a" }, "prefix /a"],
    [{ prefix: "" }, "prefix /"],
    [{ regex: "/a.*" }, "regex /a.*"],
  ])("path %j", (uri, want) => {
    const { type, value } = build(uri === undefined ? {} : { uri }).path;
    expect(`${type} ${value}`).toBe(want);
  });

  test("a path's letter case counts unless it is said not to", () => {
    expect(build({}).isPathCaseIgnored).toBe(false);
    expect(build({ ignoreUriCase: true }).isPathCaseIgnored).toBe(true);
  });

  test.each<[string, HttpMatch, readonly string[]]>([
    ["a value", { headers: { "X-A": { exact: "1" } } }, ["x-a=exact:1"]],
    ["an empty value", { headers: { a: { exact: "" } } }, ["a=exact:"]],
    ["that it is there", { headers: { a: {} } }, ["a=*"]],
    [
      "that it is there, with the word that Istio takes for it",
      { headers: { a: { regex: "*" } } },
      ["a=*"],
    ],
    ["that it is not there", { withoutHeaders: { a: {} } }, ["!a=*"]],
    [
      "that it is not there, with the same word",
      { withoutHeaders: { a: { regex: "*" } } },
      ["!a=*"],
    ],
    ["that it is not so", { withoutHeaders: { a: { prefix: "x" } } }, ["!a=prefix:x"]],
    [
      "several by name, and what is no header after them",
      {
        method: { exact: "GET" },
        scheme: { exact: "http" },
        authority: { prefix: "a." },
        headers: { z: {}, b: { exact: "1" } },
        withoutHeaders: { b: { exact: "2" } },
      },
      [
        "b=exact:1",
        "!b=exact:2",
        "z=*",
        ":method=exact:GET",
        ":authority=prefix:a.",
        ":scheme=exact:http",
      ],
    ],
    [
      "a pseudo header by its name",
      { headers: { ":method": { exact: "GET" } } },
      [":method=exact:GET"],
    ],
  ])("a header: %s", (_, request, want) => {
    expect(build(request).headers.map(show)).toEqual(want);
  });

  test.each<[HttpMatch["queryParams"], readonly string[]]>([
    [{ b: { exact: "1" }, a: { regex: "x.*" } }, ["a=regex:x.*", "b=exact:1"]],
    [{ a: { exact: "" } }, ["a=exact:"]],
    [{ a: {} }, ["a=*"]],
    [{ A: {} }, ["A=*"]],
  ])("parameters %j", (queryParams, want) => {
    expect(build({ ...(queryParams && { queryParams }) }).queryParams.map(show)).toEqual(want);
  });

  test("says everything that a proxy would refuse", () => {
    const built = buildRouteMatch(
      {
        uri: { regex: "(" },
        headers: { "": {}, a: { regex: "\\1" } },
        queryParams: { [`${"x".repeat(1025)}`]: {} },
      },
      "spec.http[0].match[0]",
    );
    expect(built.ok ? [] : built.issues.map(({ path }) => path.slice(0, 50))).toEqual([
      "spec.http[0].match[0].uri.regex",
      "spec.http[0].match[0].headers[]",
      "spec.http[0].match[0].headers[a].regex",
      "spec.http[0].match[0].queryParams[xxxxxxxxxxxxxxxx",
    ]);
  });
});

test.each<[HttpMatch, boolean]>([
  [{}, true],
  [{ uri: { prefix: "/" } }, true],
  [{ uri: { regex: ".*" } }, true],
  [{ uri: { prefix: "/a" } }, false],
  [{ uri: { exact: "/" } }, false],
  [{ method: { exact: "GET" } }, false],
  [{ queryParams: { a: {} } }, false],
])("isCatchAll() of %j is %s", (request, want) => {
  expect(isCatchAll(build(request))).toBe(want);
});
