import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { socketAddress } from "./bootstrap-json.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { caseName, DNS_CASES, type DnsCase } from "./dns-cases.ts";
import { DnsServer } from "./dns-server.ts";

const CARES =
  "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
/** So often each name is asked for before it is looked what came of it. */
const LOOKUPS = 3;
/** What of a host `/clusters` says because of its endpoint. */
const SAID = /::(hostname|weight|priority|region|zone|sub_zone|health_flags)::/;

/** What can be seen of one cluster. */
interface Seen {
  /** Addresses in order. */
  readonly hosts: readonly string[];
  readonly said: readonly string[];
  readonly counted: Readonly<Record<string, number>>;
  /** What it asked its name server, each once. */
  readonly asked: readonly string[];
}

/** A name server for each, so that it is seen what each asks. */
const servers: DnsServer[] = [];
const both = new BothPlanes<never>();
const seen = new Map<Plane<never>["name"], ReadonlyMap<string, Seen>>();

beforeAll(async () => {
  for (let plane = 0; plane < 2; plane++) servers.push(await DnsServer.start());
  for (const server of servers) for (const one of DNS_CASES) teach(server, one);
  let plane = 0;
  await both.start([], ({ admin }) => {
    const port = servers[plane++]?.port ?? 0;
    return {
      admin: { address: socketAddress(admin) },
      static_resources: { clusters: DNS_CASES.map((one) => cluster(one, port)) },
    };
  });
  await both.each(async (one) => {
    seen.set(one.name, await look(one));
  });
});

afterAll(async () => {
  await both.stop();
  for (const server of servers) await server.stop();
});

/** What the name server is asked for, as it writes names. */
function askedName(one: DnsCase): string {
  return (one.asked ?? caseName(one)).toLowerCase().replace(/\.$/, "");
}

function teach(server: DnsServer, one: DnsCase): void {
  const { a = "nxdomain" } = one;
  server.set(askedName(one), a, "A");
  server.set(askedName(one), one.aaaa ?? a, "AAAA");
}

function cluster(one: DnsCase, port: number): object {
  const name = caseName(one);
  const address = socketAddress(80, one.asked ?? name);
  const { hostname, ...endpoint } = { hostname: "", ...one.endpoint };
  const endpoints = [{ endpoint: { address, hostname }, ...endpoint }];
  const { resolver = {} } = one;
  const typed = {
    name: "envoy.network.dns_resolver.cares",
    typed_config: { "@type": CARES, resolvers: [socketAddress(port)], ...resolver },
  };
  return {
    name,
    type: "STRICT_DNS",
    connect_timeout: "1s",
    dns_refresh_rate: "0.1s",
    dns_lookup_family: one.family ?? "V4_ONLY",
    ...(typeof resolver === "function"
      ? { dns_resolution_config: resolver(port) }
      : { typed_dns_resolver_config: typed }),
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: endpoints, ...one.locality }],
    },
    ...one.options,
  };
}

/** All that can be seen when every cluster has asked often enough. */
async function look(plane: Plane<never>): Promise<ReadonlyMap<string, Seen>> {
  const count = (all: Readonly<Record<string, number>>, one: DnsCase, key: string): number =>
    all[`cluster.${caseName(one)}.${key}`] ?? -1;
  const counts = await until(async () => {
    const all = await plane.stats("^cluster.case");
    return DNS_CASES.every((one) => count(all, one, "update_attempt") > LOOKUPS) && all;
  }, `${plane.name} to ask for all names`);
  const page = await fetch(`http://127.0.0.1:${plane.ports.admin}/clusters`);
  const lines = (await page.text()).split("\n");
  const questions = servers[plane.name === "weft" ? 0 : 1]?.questions ?? [];
  return new Map(
    DNS_CASES.map((one) => {
      const name = caseName(one);
      const own = lines
        .filter((line) => line.startsWith(`${name}::`))
        .map((line) => line.slice(name.length + 2));
      const flag = (key: string): number => Number(count(counts, one, key) > 0);
      return [
        name,
        {
          hosts: own.flatMap((line) => /^\[?(.*?)\]?:80::cx_active::/.exec(line)?.[1] ?? []),
          said: own.filter((line) => SAID.test(line)),
          counted: {
            success: flag("update_success"),
            failure: flag("update_failure"),
            empty: flag("update_empty"),
            noRebuild: flag("update_no_rebuild"),
            membership: count(counts, one, "membership_change"),
            total: count(counts, one, "membership_total"),
            healthy: count(counts, one, "membership_healthy"),
            degraded: count(counts, one, "membership_degraded"),
          },
          asked: [
            ...new Set(questions.filter((question) => question.endsWith(` ${askedName(one)}`))),
          ].toSorted(),
        },
      ] as const;
    }),
  );
}

describe("a name that", () => {
  test.each(DNS_CASES)("$what", (one) => {
    const weft = seen.get("weft")?.get(caseName(one));
    const envoy = seen.get("envoy")?.get(caseName(one)) ?? weft;
    expect(weft).toEqual(envoy);
    const hasFailed = one.fails === true;
    expect(weft).toMatchObject({
      hosts: one.hosts,
      counted: {
        success: Number(!hasFailed),
        failure: Number(hasFailed),
        empty: 0,
        noRebuild: Number(!hasFailed),
        membership: Number(one.hosts.length > 0),
        total: one.hosts.length,
      },
    });
  });
});
