import { describe, expect, test } from "vitest";
import { isMentioned } from "./refusals.ts";

describe("isMentioned()", () => {
  test.each([
    ["outbound|80||a.ns", "Error adding/updating cluster(s) outbound|80||a.ns: bad", true],
    ["a", "Error adding cluster(s) bad: no", false],
    ["web", "listener web-2, web2 and my-web", false],
    ["web", "listener web-2 and web.", true],
  ])("tells whether %j stands in %j", (name, message, expected) => {
    expect(isMentioned(name, message)).toBe(expected);
  });
});
