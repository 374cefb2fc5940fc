import { describe, expect, test } from "vitest";
import { SimClock } from "../../base/sim-clock.ts";
import type { DnsCacheConfig } from "../cluster/cluster-config.ts";
import type { ResolvedAddress } from "../cluster/name-resolver.ts";
import { DNS_CACHE_ZERO, DnsCache, type Lookup } from "./dns-cache.ts";

const CONFIG: DnsCacheConfig = {
  name: "test",
  dns: {
    family: "V4_ONLY",
    refreshMs: 60_000,
    jitterMs: 0,
    failureRefresh: { baseMs: 1000, maxMs: 4000 },
    respectsTtl: true,
    resolver: { kind: "getaddrinfo" },
    waitsForWarm: false,
  },
  refreshMsMin: 5000,
  hostTtlMs: 100_000,
  hostsMax: 3,
  pendingMax: 2,
  queryTimeoutMs: 2000,
  preresolved: [],
};

/** A cache in simulated time, whose resolver says what a test says. */
class World {
  readonly clock = new SimClock();
  readonly says = new Map<string, readonly ResolvedAddress[] | "failure" | "silence">();
  readonly asked: string[] = [];
  readonly seen: string[] = [];
  readonly counters = { ...DNS_CACHE_ZERO };
  readonly cache: DnsCache;

  constructor(config: Partial<DnsCacheConfig> = {}) {
    this.cache = new DnsCache(
      { ...CONFIG, ...config },
      {
        clock: this.clock,
        // The end of every window.
        prng: { next: () => 1 },
        counters: this.counters,
        resolver: {
          resolve: (name) => {
            this.asked.push(`${name} ${this.clock.nowMs()}`);
            const says = this.says.get(name) ?? [];
            if (says === "silence") return new Promise(() => undefined);
            return says === "failure" ? Promise.reject(new Error("no")) : Promise.resolve(says);
          },
          close: () => undefined,
        },
      },
    );
    this.cache.observe({
      onAddresses: ({ key, addresses }) => this.seen.push(`${key} is ${addresses.join()}`),
      onForgotten: ({ key }) => this.seen.push(`${key} is gone`),
    });
  }

  say(name: string, address: string, ttlS = 0): void {
    this.says.set(name, [{ address, ttlS }]);
  }

  /** What a look-up comes to after `afterMs`. */
  async find(authority: string, afterMs = 0): Promise<string> {
    const lookup = this.cache.load(authority, 80);
    if (lookup.status !== "pending") return describeLookup(lookup);
    let found = "nothing yet";
    lookup.wait(({ key, addresses }) => {
      found = `${key} ${addresses.join()}`;
    });
    await this.clock.advance(afterMs);
    return found;
  }
}

function describeLookup(lookup: Lookup): string {
  if (lookup.status === "ready") return `${lookup.name.key} ${lookup.name.addresses.join()}`;
  return lookup.status === "overflow" ? `no room for ${lookup.of}` : "pending";
}

describe("DnsCache", () => {
  test("has one entry for a name and a port, however they are written", async () => {
    const world = new World();
    world.say("a", "1.1.1.1");
    expect(await world.find("a")).toBe("a:80 1.1.1.1");
    expect(await world.find("a:80")).toBe("a:80 1.1.1.1");
    expect(await world.find("a:81")).toBe("a:81 1.1.1.1");
    expect(world.asked).toEqual(["a 0", "a 0"]);
  });

  test("asks nobody for an address", async () => {
    const world = new World();
    expect(await world.find("[::1]:5")).toBe("[::1]:5 ::1");
    expect(await world.find("10.0.0.1")).toBe("10.0.0.1:80 10.0.0.1");
    expect(world.asked).toEqual([]);
  });

  test("asks again by the time to live, but not too often", async () => {
    const world = new World();
    world.say("a", "1.1.1.1", 20);
    await world.find("a");
    world.say("a", "1.1.1.2", 1);
    await world.clock.advance(20_000);
    await world.clock.advance(5000);
    expect(world.asked).toEqual(["a 0", "a 20000", "a 25000"]);
    expect(world.seen).toEqual(["a:80 is 1.1.1.1", "a:80 is 1.1.1.2"]);
  });

  test("keeps what it knows when nobody answers, and asks more and more seldom", async () => {
    const world = new World();
    world.say("a", "1.1.1.1", 5);
    await world.find("a");
    world.says.set("a", "failure");
    await world.clock.advance(13_000);
    expect(world.asked).toEqual(["a 0", "a 5000", "a 6000", "a 8000", "a 12000"]);
    expect(await world.find("a")).toBe("a:80 1.1.1.1");
  });

  test("knows after a time-out that it does not know", async () => {
    const world = new World();
    world.says.set("a", "silence");
    expect(await world.find("a", 1999)).toBe("nothing yet");
    expect(await world.find("a", 1)).toBe("a:80 ");
    expect(world.counters.dns_query_timeout).toBe(1);
    expect(await world.find("a")).toBe("a:80 ");
  });

  test("forgets what nobody asks for any more", async () => {
    const world = new World();
    world.say("a", "1.1.1.1", 60);
    await world.find("a");
    await world.clock.advance(60_000);
    await world.find("a");
    await world.clock.advance(60_000);
    expect(world.seen.at(-1)).toBe("a:80 is 1.1.1.1");
    await world.clock.advance(60_000);
    expect(world.seen.at(-1)).toBe("a:80 is gone");
    expect(world.counters.num_hosts).toBe(0);
  });

  test("has room for so many names, and for so many who wait", async () => {
    const world = new World();
    world.says.set("a", "silence");
    expect(await world.find("a")).toBe("nothing yet");
    expect(await world.find("a")).toBe("nothing yet");
    expect(await world.find("a")).toBe("no room for pending");
    await world.clock.advance(2000);
    world.say("b", "1.1.1.1");
    expect(await world.find("b")).toBe("b:80 1.1.1.1");
    expect(await world.find("b:1")).toBe("b:1 1.1.1.1");
    expect(await world.find("b:2")).toBe("no room for hosts");
    expect(world.counters).toMatchObject({ host_overflow: 1, dns_rq_pending_overflow: 1 });
  });

  test("asks ahead for what it is told to", async () => {
    const world = new World({ preresolved: [{ host: "a", port: 443 }] });
    expect(world.asked).toEqual(["a 0"]);
    expect(await world.find("a:443")).toBe("a:443 ");
  });

  test("tells nobody who has stopped waiting", async () => {
    const world = new World();
    world.say("a", "1.1.1.1");
    const lookup = world.cache.load("a", 80);
    let isTold = false;
    const onReady = (): void => {
      isTold = true;
    };
    if (lookup.status === "pending") lookup.wait(onReady)();
    await world.clock.advance(1);
    expect(isTold).toBe(false);
    expect(await world.find("a")).toBe("a:80 1.1.1.1");
  });
});
