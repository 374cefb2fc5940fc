import { describe, expect, it } from "vitest";
import { PodNetwork, parsePodCidr } from "./pod-network.ts";

describe("PodNetwork", () => {
  it("gives each pod a pair of addresses", () => {
    const network = new PodNetwork("127.65.0.0/16");
    expect(network.allocate()).toEqual({ podIp: "127.65.0.2", appAddress: "127.65.128.2" });
    expect(network.allocate()).toEqual({ podIp: "127.65.0.3", appAddress: "127.65.128.3" });
  });

  it("takes an address again as late as possible, and none twice", () => {
    const network = new PodNetwork("127.65.0.0/16");
    const first = network.allocate();
    expect(first).toBeDefined();
    if (first !== undefined) network.release(first);
    const seen = new Set<string>();
    for (let next = network.allocate(); next !== undefined; next = network.allocate()) {
      seen.add(next.podIp);
    }
    expect(seen.size).toBe(0x8000 - 2);
    expect([...seen].at(-1)).toBe("127.65.0.2");
  });
});

describe("parsePodCidr()", () => {
  it.each(["127.0.0.0/16", "10.0.0.0/16", "127.65.0.0/8", "127.65.1.0/16", "127.300.0.0/16"])(
    "refuses %s",
    (cidr) => expect(parsePodCidr(cidr)).toBeUndefined(),
  );
});
