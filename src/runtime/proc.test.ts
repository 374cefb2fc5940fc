import { describe, expect, it } from "vitest";
import { isAlive, parseListeningSockets, readProcess } from "./proc.ts";

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0700417F:2378 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23309 1 0
   1: 00000000:2379 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23310 1 0
   2: 0700417F:2378 0100007F:ABCD 01 00000000:00000000 00:00000000 00000000     0        0 23311 1 0
`;
const TCP6 = `  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:2378 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 77 1 0
   1: 0000000000000000FFFF00000100007F:2379 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 78 1 0
`;

describe("parseListeningSockets()", () => {
  it("reads IPv4, without what is connected", () => {
    expect(parseListeningSockets(TCP)).toEqual([
      { address: "127.65.0.7", port: 9080, inode: "23309" },
      { address: "0.0.0.0", port: 9081, inode: "23310" },
    ]);
  });

  it("reads IPv6", () => {
    expect(parseListeningSockets(TCP6).map(({ address, port }) => [address, port])).toEqual([
      ["::", 9080],
      ["127.0.0.1", 9081],
    ]);
  });
});

describe.skipIf(process.platform !== "linux")("readProcess()", () => {
  it("knows this process", () => {
    const stat = readProcess(process.pid);
    expect(isAlive(stat)).toBe(true);
    expect(stat).toMatchObject({ pid: process.pid, parentPid: process.ppid });
    expect(Number(stat?.startTicks)).toBeGreaterThan(0);
  });

  it("knows that there is none", () => {
    expect(readProcess(2 ** 22 + 1)).toBeUndefined();
  });
});
