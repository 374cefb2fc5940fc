import { describe, expect, test } from "vitest";
import { properCase } from "./header-case.ts";

describe("properCase()", () => {
  test("changes names, and neither the first line nor values", () => {
    const text = "get /a:b-c http/1.1\r\nx-b3-flags: a-b: c\r\nfoo_b#r$z: \r\na:b:c\r\n\r\n";
    expect(properCase(text)).toBe(
      "get /a:b-c http/1.1\r\nX-B3-Flags: a-b: c\r\nFoo_B#R$Z: \r\nA:b:c\r\n\r\n",
    );
  });
});
