import { describe, expect, test } from "vitest";
import type { HeaderAddition } from "../../match/header-mutations.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import { HeaderList } from "./header-list.ts";
import { applyMutations } from "./header-mutation.ts";

const INFO = {} as StreamInfo;

function addition(name: string, value: string): HeaderAddition {
  return { name, value: () => value, action: "APPEND_IF_EXISTS_OR_ADD", keepsEmpty: false };
}

describe("applyMutations()", () => {
  // Envoy refuses such a request, and writes such a response with the lines that its client made.
  test.each(["a\r\nx-evil: 1", "a\n", "a\0", "\x7f"])("leaves %j out and says so", (value) => {
    const headers = new HeaderList();
    const add = [addition("x-a", "1"), addition("x-b", value), addition("x-c", "\t\xe4")];
    expect(applyMutations([{ remove: [], add }], headers, INFO)).toBe("x-b");
    expect(headers.encode()).toBe("x-a: 1\r\nx-c: \t\xe4\r\n");
  });
});
