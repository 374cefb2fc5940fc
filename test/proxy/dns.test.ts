import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import {
  closeAll,
  closers,
  get,
  startPlanes as startHttpPlanes,
  startUpstream,
} from "./cluster-planes.ts";
import { DnsServer } from "./dns-server.ts";

const CARES =
  "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";

afterEach(closeAll);

async function startServer(): Promise<DnsServer> {
  const server = await DnsServer.start();
  closers.push(() => server.stop());
  return server;
}

/** A cluster of names, which asks this server. */
function dnsCluster(server: DnsServer, names: readonly string[]): object {
  const endpoints = names.map((name) => ({ endpoint: { address: socketAddress(80, name) } }));
  return {
    ...staticCluster("up", []),
    type: "STRICT_DNS",
    dns_refresh_rate: "0.05s",
    dns_lookup_family: "V4_ONLY",
    typed_dns_resolver_config: {
      name: "envoy.network.dns_resolver.cares",
      typed_config: { "@type": CARES, resolvers: [socketAddress(server.port)] },
    },
    load_assignment: { cluster_name: "up", endpoints: [{ lb_endpoints: endpoints }] },
  };
}

/** Both proxies with nothing but that cluster. */
async function startPlanes(
  server: DnsServer,
  names: readonly string[],
  options: object = {},
): Promise<BothPlanes<never>> {
  const both = new BothPlanes<never>();
  closers.push(() => both.stop());
  await both.start([], ({ admin }) => ({
    admin: { address: socketAddress(admin) },
    static_resources: { clusters: [{ ...dnsCluster(server, names), ...options }] },
  }));
  return both;
}

/** The addresses of the cluster's hosts, sorted. */
async function addresses(plane: Plane<never>): Promise<readonly string[]> {
  const page = await fetch(`http://127.0.0.1:${plane.ports.admin}/clusters`);
  const lines = (await page.text()).split("\n");
  return lines.flatMap((line) => /^up::(.*)::cx_active::/.exec(line)?.[1] ?? []).sort();
}

async function stat(plane: Pick<Plane<never>, "stats">, name: string): Promise<number> {
  return (await plane.stats(`cluster.up.${name}`))[`cluster.up.${name}`] ?? -1;
}

/** Waits until both have these hosts; fails when they never do. */
async function haveHosts(both: BothPlanes<never>, expected: readonly string[]): Promise<true> {
  await both.each(async (plane) => {
    let last: readonly string[] = [];
    await until(async () => {
      last = await addresses(plane);
      return last.join() === expected.join();
    }, `${plane.name} to have ${expected.join()}, not ${last.join()}`);
  });
  return true;
}

/** Waits until both have asked so often again. */
async function awaitLookups(both: BothPlanes<never>, times: number): Promise<void> {
  await both.each(async (plane) => {
    const before = await stat(plane, "update_attempt");
    await until(
      async () => (await stat(plane, "update_attempt")) >= before + times,
      `${plane.name} to ask again`,
    );
  });
}

describe("names", () => {
  test("mean all their addresses, and follow them", async () => {
    const server = await startServer();
    server.set("a.test", { addresses: ["127.0.1.1", "127.0.1.2"] });
    server.set("b.test", { addresses: ["127.0.2.1"] });
    const both = await startPlanes(server, ["a.test", "b.test"]);
    expect(await haveHosts(both, ["127.0.1.1:80", "127.0.1.2:80", "127.0.2.1:80"])).toBe(true);
    server.set("a.test", { addresses: ["127.0.1.2", "127.0.1.3"] });
    expect(await haveHosts(both, ["127.0.1.2:80", "127.0.1.3:80", "127.0.2.1:80"])).toBe(true);
  });

  test("keep their addresses while nobody answers, and lose them when there are none", async () => {
    const server = await startServer();
    server.set("a.test", { addresses: ["127.0.1.1"] });
    const both = await startPlanes(server, ["a.test"]);
    expect(await haveHosts(both, ["127.0.1.1:80"])).toBe(true);
    server.set("a.test", "servfail");
    await both.each(async (plane) => {
      await until(async () => (await stat(plane, "update_failure")) > 1, "failures to be counted");
    });
    expect(await haveHosts(both, ["127.0.1.1:80"])).toBe(true);
    server.set("a.test", "nxdomain");
    expect(await haveHosts(both, [])).toBe(true);
    server.set("a.test", { addresses: ["127.0.1.9"] });
    expect(await haveHosts(both, ["127.0.1.9:80"])).toBe(true);
    server.set("a.test", { addresses: [] });
    expect(await haveHosts(both, [])).toBe(true);
  });

  test("may have 500 addresses", async () => {
    const server = await startServer();
    const all = Array.from({ length: 500 }, (_, at) => `127.1.${at >> 8}.${at & 255}`);
    server.set("a.test", { addresses: all });
    const both = await startPlanes(server, ["a.test"]);
    expect(await haveHosts(both, all.map((address) => `${address}:80`).sort())).toBe(true);
  });

  test("bring their place with them: priority, locality and weights", async () => {
    const server = await startServer();
    server.set("a.test", { addresses: ["127.0.1.1", "127.0.1.2"] });
    server.set("b.test", { addresses: ["127.0.1.2", "127.0.1.3"] });
    const place = (name: string, priority: number, weight: number): object => ({
      locality: { region: "r", zone: name.slice(0, 1) },
      priority,
      load_balancing_weight: weight,
      lb_endpoints: [
        { endpoint: { address: socketAddress(80, name) }, load_balancing_weight: weight + 1 },
      ],
    });
    const both = await startPlanes(server, [], {
      load_assignment: {
        cluster_name: "up",
        endpoints: [place("b.test", 1, 3), place("a.test", 0, 5), place("b.test", 0, 7)],
      },
    });
    const said = /^up::.*::(hostname|weight|priority|region|zone)::/;
    const look = async (total: number): Promise<void> => {
      const { weft, envoy } = await both.each(async (plane) => {
        const isThere = async (): Promise<boolean> =>
          (await stat(plane, "membership_total")) === total;
        await until(isThere, `${plane.name} to have ${total} hosts`);
        const page = await fetch(`http://127.0.0.1:${plane.ports.admin}/clusters`);
        return (await page.text()).split("\n").filter((line) => said.test(line));
      });
      expect(weft).toHaveLength(5 * total);
      expect(weft).toEqual(envoy);
    };
    await look(6);
    server.set("b.test", { addresses: ["127.0.1.4"] });
    await look(4);
  });

  test("that two endpoints share are two hosts", async () => {
    const server = await startServer();
    server.set("a.test", { addresses: ["127.0.1.1"] });
    server.set("b.test", { addresses: ["127.0.1.1"] });
    const both = await startPlanes(server, ["a.test", "b.test"]);
    await both.each(async (plane) => {
      await until(async () => (await stat(plane, "membership_total")) === 2, "two hosts");
      expect(await addresses(plane)).toEqual(["127.0.1.1:80", "127.0.1.1:80"]);
    });
  });

  const families: readonly (readonly [string, readonly string[]])[] = [
    ["V4_ONLY", ["127.0.1.1:80"]],
    ["V6_ONLY", ["[::1]:80"]],
    ["AUTO", ["[::1]:80"]],
    ["V4_PREFERRED", ["127.0.1.1:80"]],
    ["ALL", ["127.0.1.1:80", "[::1]:80"]],
  ];
  test.each(families)("are resolved by family: %s", async (family, expected) => {
    const server = await startServer();
    server.set("a.test", { addresses: ["127.0.1.1", "::1"] });
    const both = await startPlanes(server, ["a.test"], { dns_lookup_family: family });
    expect(await haveHosts(both, expected)).toBe(true);
  });

  test("are asked for again when their time to live is over", async () => {
    const server = await startServer();
    server.set("a.test", { addresses: ["127.0.1.1"], ttlS: 1 });
    const both = await startPlanes(server, ["a.test"], {
      respect_dns_ttl: true,
      dns_refresh_rate: "100s",
    });
    expect(await haveHosts(both, ["127.0.1.1:80"])).toBe(true);
    server.set("a.test", { addresses: ["127.0.1.2"], ttlS: 1 });
    expect(await haveHosts(both, ["127.0.1.2:80"])).toBe(true);
  });

  test.each([1, 500])("are not asked for again before: %i addresses", async (count) => {
    const server = await startServer();
    const all = Array.from({ length: count }, (_, at) => `127.1.${at >> 8}.${at & 255}`);
    server.set("a.test", { addresses: all, ttlS: 3600 });
    server.set("b.test", { addresses: all, ttlS: 0 });
    const both = await startPlanes(server, ["a.test", "b.test"], { respect_dns_ttl: true });
    // The second may not be kept, which leaves it to the refresh rate.
    const asked = (name: string): number =>
      server.questions.filter((question) => question.endsWith(name)).length;
    await awaitLookups(both, 5);
    await until(() => asked("b.test") > 5 * both.planes.length, "more questions");
    // Over UDP, and once more over TCP for what does not fit.
    expect(asked("a.test")).toBeLessThanOrEqual(2 * both.planes.length);
  });

  test("are asked for again soon after a failure", async () => {
    const server = await startServer();
    server.set("a.test", "servfail");
    const both = await startPlanes(server, ["a.test"], {
      dns_refresh_rate: "100s",
      dns_failure_refresh_rate: { base_interval: "0.02s", max_interval: "0.05s" },
    });
    await awaitLookups(both, 3);
    server.set("a.test", { addresses: ["127.0.1.1"] });
    expect(await haveHosts(both, ["127.0.1.1:80"])).toBe(true);
  });

  test.each(["AUTO", "ALL", "V6_ONLY"])("may be localhost: %s", async (family) => {
    const server = await startServer();
    for (const resolver of [{}, { typed_dns_resolver_config: undefined }]) {
      const both = await startPlanes(server, ["localhost"], {
        dns_lookup_family: family,
        ...resolver,
      });
      const seen = await both.each(async (plane) => {
        await until(async () => (await addresses(plane)).length > 0, `${plane.name} to have hosts`);
        return addresses(plane);
      });
      expect(seen.weft).toContain("[::1]:80");
      expect(seen.weft).toEqual(seen.envoy);
    }
    expect(server.questions).toEqual([]);
  });

  test("that the hosts file knows are not asked for", async () => {
    const server = await startServer();
    const both = await startPlanes(server, ["localhost"]);
    expect(await haveHosts(both, ["127.0.0.1:80"])).toBe(true);
    expect(server.questions).toEqual([]);
  });
});

describe("a name of LOGICAL_DNS", () => {
  test("is one host at its first address, which outlives failures and empty answers", async () => {
    const server = await startServer();
    server.set("a.test", { addresses: ["127.0.1.1", "127.0.1.2"] });
    const both = await startPlanes(server, ["a.test"], { type: "LOGICAL_DNS" });
    expect(await haveHosts(both, ["127.0.1.1:80"])).toBe(true);
    server.set("a.test", "nxdomain");
    await awaitLookups(both, 3);
    expect(await haveHosts(both, ["127.0.1.1:80"])).toBe(true);
    server.set("a.test", { addresses: ["127.0.1.3"] });
    expect(await haveHosts(both, ["127.0.1.3:80"])).toBe(true);
  });
});

describe("the addresses of LOGICAL_DNS", () => {
  test("are another host when any of them is another", async () => {
    const server = await startServer();
    const both = await startPlanes(server, ["a.test"], { type: "LOGICAL_DNS" });
    const changes: readonly (readonly string[])[] = [
      ["127.0.1.1", "127.0.1.2"],
      ["127.0.1.1", "127.0.1.3"],
      ["127.0.1.1"],
      ["127.0.1.4"],
    ];
    for (const [at, some] of changes.entries()) {
      server.set("a.test", { addresses: some });
      await both.each((plane) =>
        until(async () => (await stat(plane, "membership_change")) === at + 1, `change ${at + 1}`),
      );
      expect(await haveHosts(both, [`${some[0]}:80`])).toBe(true);
    }
  });

  test("are tried one after the other", async () => {
    const server = await startServer();
    const up = await startUpstream();
    server.set("a.test", { addresses: ["127.0.1.77", "127.0.0.1"] });
    const address = socketAddress(up.port, "a.test");
    const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
    const both = await startHttpPlanes({
      ...dnsCluster(server, []),
      type: "LOGICAL_DNS",
      load_assignment: { cluster_name: "up", endpoints },
    });
    const { weft, envoy } = await both.each((plane) => get(plane));
    expect(weft).toBe("200 hi");
    expect(weft).toBe(envoy);
  });
});

describe("a name server that is not there", () => {
  test("does not hold up anything", async () => {
    const server = await DnsServer.start();
    await server.stop();
    const both = await startHttpPlanes(dnsCluster(server, ["a.test"]));
    const seen = await both.each(async (plane) => {
      const answer = await get(plane);
      await until(async () => (await stat(plane, "update_failure")) > 2, "three failures");
      return [answer, await stat(plane, "update_success"), await stat(plane, "membership_total")];
    });
    expect(seen.weft).toEqual(["503 no healthy upstream", 0, 0]);
    expect(seen.weft).toEqual(seen.envoy);
  });
});

describe("a name server that says nothing", () => {
  test("does not hold up a cluster that need not be warm", async () => {
    const server = await startServer();
    server.set("a.test", "silence");
    const both = await startPlanes(server, ["a.test"], { wait_for_warm_on_init: false });
    await both.each(async (plane) => {
      expect(await stat(plane, "membership_total")).toBe(0);
    });
  });
});
