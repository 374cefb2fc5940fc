import { expect, test } from "vitest";
import { type CidrRange, compileCidrSearch, compileCidrTest, parseCidr } from "./cidr.ts";

function range(text: string): CidrRange {
  const [address = "", bits] = text.split("/");
  const parsed = parseCidr(address, Number(bits));
  if (parsed === undefined) throw new Error(`no range: ${text}`);
  return parsed;
}

const cases: [string, string, boolean][] = [
  ["10.0.0.0/8", "10.255.0.1", true],
  ["10.0.0.0/8", "11.0.0.1", false],
  ["0.0.0.0/0", "255.255.255.255", true],
  ["0.0.0.0/0", "::1", false],
  ["::/0", "::1", true],
  ["127.0.0.1/32", "127.0.0.1", true],
  ["127.0.0.1/32", "127.0.0.2", false],
  ["2001:db8::/32", "2001:db8:1::2", true],
  ["2001:db8::/33", "2001:db8:8000::", false],
  ["::ffff:1.2.3.0/120", "::ffff:1.2.3.4", true],
  ["fe80::/10", "fe80::1%eth0", true],
  ["0.0.0.0/0", "", false],
  ["0.0.0.0/0", "/run/x.sock", false],
];

test.each(cases)("compileCidrTest() on %s and %s says %s", (block, address, expected) => {
  const isIn = compileCidrTest([range(block)]);
  expect(isIn(address)).toBe(expected);
  // Once more: the last answer is kept.
  expect(isIn(address)).toBe(expected);
});

test("compileCidrSearch() takes the smallest block", () => {
  const find = compileCidrSearch([
    [range("0.0.0.0/0"), "any"],
    [range("10.0.0.0/8"), "ten"],
    [range("10.1.0.0/16"), "ten one"],
    [range("::/0"), "six"],
  ]);
  const addresses = ["10.1.2.3", "10.2.2.3", "9.9.9.9", "::1", "x"];
  expect(addresses.map(find)).toEqual(["ten one", "ten", "any", "six", undefined]);
});

test("parseCidr() drops the bits that do not count, and those that are too many", () => {
  expect(range("10.1.2.3/8").text).toBe(range("10.0.0.0/8").text);
  expect(range("10.1.2.3/40").text).toBe(range("10.1.2.3/32").text);
  expect(parseCidr("a.test", 8)).toBeUndefined();
});
