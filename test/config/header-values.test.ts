import { describe, expect, it } from "vitest";
import { decodeObject } from "../../src/config/decode.ts";
import { parseFormat } from "../../src/match/substitution.ts";
import { LOG_OPERATORS } from "../proxy/log-operators.ts";

/** The words with which a route that sets a header to this value is refused. */
function refusalOf(value: string): string | undefined {
  const result = decodeObject({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "a" },
    spec: {
      hosts: ["a"],
      http: [
        {
          route: [{ destination: { host: "b" } }],
          headers: { request: { set: { x: value } } },
        },
      ],
    },
  });
  return result.ok ? undefined : result.issues[0]?.message;
}

describe("a header's value", () => {
  it.each([
    "",
    "a %REQ(x-y?:path)% b",
    "100%%",
    "%%%PROTOCOL%%%",
    "%DYNAMIC_METADATA(a:b)%",
    "%START_TIME(%s.%3f)%",
  ])("%j is taken, and read by a proxy", (value) => {
    expect(refusalOf(value)).toBeUndefined();
    expect(parseFormat(value).ok).toBe(true);
  });

  it.each([
    ["50%", "must start a command operator"],
    ["%REQ(x)", "must start a command operator"],
    ["%REQ%", '"%REQ()%" cannot be read'],
    ["%req(x)%", "must start a command operator"],
    ["%PROTOCOLL%", 'is no command operator that both proxies know, did you mean "%PROTOCOL%"?'],
    ["%PROTOCOL(x)%", "takes nothing in parentheses"],
    ["%ENVIRONMENT%", "must say what it reads"],
    ["%PATH(X)%", "cannot be read"],
    ["a\r\nb: c", "must not have control characters"],
  ])("%j is refused: %s", (value, reason) => {
    expect(refusalOf(value)).toContain(reason);
  });

  // What an author was allowed to write may not cost a proxy all of its routes.
  it.each([...new Set(LOG_OPERATORS.map((one) => /%([A-Z0-9_]+)/.exec(one)?.[1] ?? ""))])(
    "with %s is taken only in a form that proxies read",
    (name) => {
      const forms = ["", "()", "(x)", "(x:y)", "(a b)", "(%n)", "(NQ)", "(WQ:ORIG)", "(NUMBER)"];
      const taken = forms
        .map((form) => `%${name}${form}%`)
        .filter((value) => refusalOf(value) === undefined);
      expect(taken.filter((value) => !parseFormat(value).ok)).toEqual([]);
    },
  );
});
