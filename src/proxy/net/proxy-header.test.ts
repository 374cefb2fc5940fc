import { describe, expect, test } from "vitest";
import type { PeerAddress } from "../../match/connection-info.ts";
import { readProxyHeader } from "../listener-filter/proxy-header.ts";
import { encodeProxyHeader } from "./proxy-header.ts";

const OPTIONS = { isOptional: false, ignored: new Set<"v1" | "v2">() };
const cases: readonly (readonly [string, string])[] = [
  ["10.1.2.3", "127.0.0.1"],
  ["2001:db8::1", "::1"],
  ["::", "1:2:3:4:5:6:7:8"],
];

describe("encodeProxyHeader()", () => {
  test.each(cases)("%s to %s is read as it was written", (from, to) => {
    const remote: PeerAddress = { address: from, port: 65_535 };
    const local: PeerAddress = { address: to, port: 443 };
    for (const version of ["V1", "V2"] as const) {
      const bytes = Buffer.from(encodeProxyHeader(version, { remote, local }), "latin1");
      expect(readProxyHeader(bytes, OPTIONS)).toEqual({
        version: version.toLowerCase(),
        header: { length: bytes.length, source: remote, destination: local },
      });
    }
  });

  test("a client without an address is none that could be told", () => {
    const remote: PeerAddress = { address: "/run/a", port: 0 };
    for (const version of ["V1", "V2"] as const) {
      const bytes = Buffer.from(encodeProxyHeader(version, { remote, local: remote }), "latin1");
      expect(readProxyHeader(bytes, OPTIONS)).toMatchObject({
        header: { length: bytes.length, source: undefined },
      });
    }
  });
});
