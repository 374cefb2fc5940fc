import { describe, expect, test } from "vitest";
import type { HeaderAddition } from "../../match/header-mutations.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import { HeaderList } from "./header-list.ts";
import { applyMutations } from "./header-mutation.ts";

const INFO = {} as StreamInfo;

function addition(
  name: string,
  value: string,
  action: HeaderAddition["action"] = "APPEND_IF_EXISTS_OR_ADD",
): HeaderAddition {
  return { name, value: () => value, action, keepsEmpty: false };
}

describe("applyMutations()", () => {
  // Envoy refuses such a request, and writes such a response with the lines that its client made.
  test.each(["a\r\nx-evil: 1", "a\n", "a\0", "\x7f"])("leaves %j out and says so", (value) => {
    const headers = new HeaderList();
    const add = [addition("x-a", "1"), addition("x-b", value), addition("x-c", "\t\xe4")];
    expect(applyMutations([{ remove: [], add }], headers, INFO)).toBe("x-b");
    expect(headers.encode()).toBe("x-a: 1\r\nx-c: \t\xe4\r\n");
  });

  const APPEND = "APPEND_IF_EXISTS_OR_ADD";
  const ABSENT = "ADD_IF_ABSENT";
  const SET = "OVERWRITE_IF_EXISTS_OR_ADD";
  const CHANGE = "OVERWRITE_IF_EXISTS";
  // Seen at Envoy: what a level does looks at what was there before the level.
  test.each([
    [[APPEND, SET], "2 1"],
    [[APPEND, ABSENT], "1 2"],
    [[APPEND, CHANGE], "1"],
    [[SET, SET], "2"],
    [[ABSENT, ABSENT], "1 2"],
    [[SET, ABSENT], "1 2"],
    [[CHANGE, APPEND], "2"],
  ] as const)("does %j to a header that is not there", (actions, expected) => {
    const headers = new HeaderList();
    const add = actions.map((action, at) => addition("x", String(at + 1), action));
    expect(applyMutations([{ remove: [], add }], headers, INFO)).toBe("");
    const lines = expected.split(" ").map((value) => `x: ${value}\r\n`);
    expect(headers.encode()).toBe(lines.join(""));
  });
});
