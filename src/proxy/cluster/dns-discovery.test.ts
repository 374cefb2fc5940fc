import { describe, expect, test } from "vitest";
import { SimClock } from "../../base/sim-clock.ts";
import type { Assignment, DnsConfig, Endpoint } from "./cluster-config.ts";
import { DnsDiscovery } from "./dns-discovery.ts";
import { ClusterLoad } from "./load.ts";
import type { ResolvedAddress } from "./name-resolver.ts";
import { testAssignment, testClusterConfig, testEndpoint } from "./test-cluster-config.ts";

const CONFIG: DnsConfig = {
  family: "V4_ONLY",
  refreshMs: 5000,
  failureRefresh: undefined,
  respectsTtl: false,
  jitterMs: 0,
  resolver: {
    kind: "name_servers",
    servers: [],
    areFallback: false,
    searches: true,
    skipsUnroutable: false,
  },
  waitsForWarm: true,
};

/** What is said of a name: addresses with their time to live, a failure, or nothing ever. */
type Says = readonly (readonly [address: string, ttlS: number])[] | "failure" | "silence";

/** A cluster of names in simulated time, whose name server says what a test says. */
class Names {
  readonly clock = new SimClock();
  readonly load = new ClusterLoad(testClusterConfig(), undefined);
  readonly says = new Map<string, Says>();
  /** When each name was asked for, in milliseconds. */
  readonly asked: (readonly [name: string, atMs: number])[] = [];
  readonly told: Assignment[] = [];
  readonly discovery: DnsDiscovery;
  lookups = 0;
  isResolverClosed = false;

  constructor(names: readonly string[], config: Partial<DnsConfig> = {}, isLogical = false) {
    const endpoints = names.map((address): Endpoint => ({ ...testEndpoint(80), address }));
    this.discovery = new DnsDiscovery(
      {
        config: { ...CONFIG, ...config },
        assignment: testAssignment(endpoints),
        isLogical,
        load: this.load,
        onAssignment: (assignment) => this.told.push(assignment),
        onLookup: () => this.lookups++,
      },
      {
        clock: this.clock,
        // The end of every window.
        prng: { next: () => 1 },
        resolver: {
          resolve: (name) => this.#resolve(name),
          close: () => {
            this.isResolverClosed = true;
          },
        },
      },
    );
  }

  #resolve(name: string): Promise<readonly ResolvedAddress[]> {
    this.asked.push([name, this.clock.nowMs()]);
    const says = this.says.get(name) ?? [];
    if (says === "silence") return new Promise(() => undefined);
    if (says === "failure") return Promise.reject(new Error("SERVFAIL"));
    return Promise.resolve(says.map(([address, ttlS]) => ({ address, ttlS })));
  }

  get addresses(): readonly string[] {
    return this.told.at(-1)?.endpoints.map(({ address }) => address) ?? [];
  }

  /** When a name was asked for. */
  times(name: string): readonly number[] {
    return this.asked.filter(([asked]) => asked === name).map(([, atMs]) => atMs);
  }
}

describe("DnsDiscovery", () => {
  test("asks again at its rate, each name for itself", async () => {
    const names = new Names(["a", "b"]);
    names.says.set("a", [["1.1.1.1", 1]]).set("b", "silence");
    names.discovery.start();
    await names.clock.advance(11_000);
    expect(names.times("a")).toEqual([0, 5000, 10_000]);
    // Whoever resolves gives up in time; until then nobody asks twice.
    expect(names.times("b")).toEqual([0]);
    expect(names.addresses).toEqual(["1.1.1.1"]);
    expect(names.told).toHaveLength(1);
    expect(names.load.updatesWithoutRebuild).toBe(2);
  });

  test("waits longer by a share of the jitter after an answer", async () => {
    const names = new Names(["a", "b"], { jitterMs: 100 });
    names.says.set("a", [["1.1.1.1", 1]]).set("b", "failure");
    names.discovery.start();
    await names.clock.advance(11_000);
    expect(names.times("a")).toEqual([0, 5100, 10_200]);
    expect(names.times("b")).toEqual([0, 5000, 10_000]);
  });

  test("asks again when the first address is too old", async () => {
    const names = new Names(["a"], { respectsTtl: true });
    names.says.set("a", [
      ["1.1.1.1", 30],
      ["1.1.1.2", 7],
    ]);
    names.discovery.start();
    await names.clock.advance(15_000);
    expect(names.times("a")).toEqual([0, 7000, 14_000]);
    names.says.set("a", [
      ["1.1.1.1", 30],
      ["1.1.1.2", 0],
    ]);
    await names.clock.advance(12_000);
    // 0 says nothing of how long.
    expect(names.times("a").slice(3)).toEqual([21_000, 26_000]);
  });

  test("asks a logical name again when its first address is too old", async () => {
    const names = new Names(["a"], { respectsTtl: true }, true);
    names.says.set("a", [
      ["1.1.1.1", 9],
      ["1.1.1.2", 2],
    ]);
    names.discovery.start();
    await names.clock.advance(10_000);
    expect(names.times("a")).toEqual([0, 9000]);
    const [endpoint] = names.told.at(-1)?.endpoints ?? [];
    expect(endpoint?.additionalAddresses).toEqual([{ address: "1.1.1.2", port: 80 }]);
  });

  test("waits longer after every failure, until a look-up succeeds", async () => {
    const names = new Names(["a"], { failureRefresh: { baseMs: 100, maxMs: 500 } });
    names.says.set("a", [["1.1.1.1", 1]]);
    names.discovery.start();
    await names.clock.advance(1);
    names.says.set("a", "failure");
    await names.clock.advance(6500);
    expect(names.times("a")).toEqual([0, 5000, 5100, 5300, 5700, 6200]);
    expect(names.addresses).toEqual(["1.1.1.1"]);
    expect(names.told).toHaveLength(1);
    names.says.set("a", []);
    await names.clock.advance(200);
    expect(names.addresses).toEqual([]);
    names.says.set("a", "failure");
    await names.clock.advance(5100);
    // From the beginning again: the name was asked for at 6700, and then failed at 11700.
    expect(names.times("a").slice(6)).toEqual([6700, 11_700, 11_800]);
  });

  test("tells that it asked, whatever came of it, and keeps endpoints that stay", async () => {
    const names = new Names(["a", "b"]);
    names.says.set("a", "failure").set("b", [["1.1.1.1", 1]]);
    names.discovery.start();
    await names.clock.advance(1);
    expect(names.lookups).toBe(2);
    const [first] = names.told.at(-1)?.endpoints ?? [];
    names.says.set("b", [
      ["1.1.1.2", 1],
      ["1.1.1.1", 1],
    ]);
    await names.clock.advance(5000);
    expect(names.addresses).toEqual(["1.1.1.2", "1.1.1.1"]);
    expect(names.told.at(-1)?.endpoints[1]).toBe(first);
    // In another order it is the same answer.
    names.says.set("b", [
      ["1.1.1.1", 1],
      ["1.1.1.2", 1],
    ]);
    await names.clock.advance(5000);
    expect(names.told).toHaveLength(2);
  });

  test("leaves nothing behind when it is closed", async () => {
    const names = new Names(["a", "b"]);
    names.says.set("a", [["1.1.1.1", 1]]).set("b", "failure");
    names.discovery.start();
    await names.clock.advance(1);
    names.discovery.close();
    expect(names.clock.timersPending).toBe(0);
    expect(names.isResolverClosed).toBe(true);
    await names.clock.advance(20_000);
    expect(names.asked).toHaveLength(2);
  });

  test("has nothing to ask without names, and says so", () => {
    const names = new Names([]);
    names.discovery.start();
    expect(names.lookups).toBe(1);
  });
});
