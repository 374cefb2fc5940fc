import { expect, test } from "vitest";
import { formatHostPort, formatIpv4, parseHostPort, parseIpv4 } from "./ip.ts";

test.each([
  ["127.0.0.1", 0x7f000001],
  ["255.255.255.255", 0xffffffff],
  ["0.0.0.0", 0],
  ["1.2.3", undefined],
  ["1.2.3.256", undefined],
])("parseIpv4(%j) is %j", (text, address) => {
  expect(parseIpv4(text)).toBe(address);
});

test("formatIpv4() is the inverse of parseIpv4()", () => {
  for (const text of ["127.65.0.7", "255.255.255.255", "0.0.0.0"]) {
    expect(formatIpv4(parseIpv4(text) ?? Number.NaN)).toBe(text);
  }
});

test.each([
  ["127.0.0.1:80", { host: "127.0.0.1", port: 80 }],
  ["reviews:9080", { host: "reviews", port: 9080 }],
  ["reviews", { host: "reviews" }],
  ["[::1]:80", { host: "::1", port: 80 }],
  ["[::1]", { host: "::1" }],
  ["::1", { host: "::1" }],
  ["a:99999", undefined],
  ["a:b:c", undefined],
])("parseHostPort(%j) is %j", (text, parts) => {
  expect(parseHostPort(text)).toEqual(parts);
});

test("formatHostPort() puts an IPv6 address in brackets", () => {
  expect(formatHostPort("::1", 80)).toBe("[::1]:80");
  expect(formatHostPort("127.0.0.1", 80)).toBe("127.0.0.1:80");
});
