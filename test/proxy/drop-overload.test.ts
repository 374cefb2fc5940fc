import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { assignmentOf, countAnswers, hostsOf, NumberedHosts } from "./host-shares.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { caseLog, logLines, statsOf, Twins } from "./twins.ts";

const REQUESTS = 1000;

/** By cluster: what is dropped, and how many of a hundred requests get through. */
const CLUSTERS: Readonly<Record<string, readonly [drop: object, through: number]>> = {
  half: [{ numerator: 50 }, 50],
  few: [{ numerator: 2000, denominator: "TEN_THOUSAND" }, 80],
  // The runtime allows no more than this.
  most: [{ numerator: 900_000, denominator: "MILLION" }, 40],
  none: [{ numerator: 0 }, 100],
};

describe("requests that a control plane wants dropped", () => {
  let hosts: NumberedHosts;
  let twins: Twins;
  let unlimited: Twins;

  beforeAll(async () => {
    hosts = await NumberedHosts.start(1);
    const start = (limit: object, drops: typeof CLUSTERS): Promise<Twins> =>
      Twins.start(["in"], ({ ports, adminPort, logPath }) => ({
        admin: { address: socketAddress(adminPort) },
        layered_runtime: { layers: [{ name: "a", static_layer: limit }] },
        static_resources: {
          listeners: [
            httpListener("in", ports["in"] ?? 0, {
              access_log: [caseLog(logPath)],
              route_config: routeTable(
                Object.keys(drops).map((name) => ({
                  match: { path: `/${name}` },
                  route: { cluster: name, retry_policy: { retry_on: "5xx" } },
                })),
              ),
            }),
          ],
          clusters: Object.entries(drops).map(([name, [drop]]) => ({
            name,
            type: "STATIC",
            connect_timeout: "5s",
            load_assignment: assignmentOf(name, [{ hosts: hostsOf(0, 1) }], hosts.ports, {
              drop_overloads: [{ category: "some", drop_percentage: drop }],
            }),
          })),
        },
      }));
    twins = await start({ load_balancing_policy: { drop_overload_limit: 60 } }, CLUSTERS);
    unlimited = await start({}, { all: [{ numerator: 100 }, 0] });
  });
  afterAll(async () => {
    await twins.stop();
    await unlimited.stop();
    await hosts.stop();
  });

  test.each(Object.entries(CLUSTERS))("are so many of them: %s", async (name, [, through]) => {
    for (const twin of twins.all) {
      const counts = await countAnswers(twin.ports["in"] ?? 0, `/${name}`, REQUESTS, "", 1);
      const share = through / 100;
      const bound = 5 * Math.sqrt(REQUESTS * share * (1 - share));
      expect(Math.abs((counts["0"] ?? 0) - REQUESTS * share)).toBeLessThanOrEqual(bound);
      const dropped = REQUESTS - (counts["0"] ?? 0);
      expect(counts["503 drop overload"] ?? 0).toBe(dropped);
      const stats = await statsOf(twin, `cluster.${name}.upstream_rq`);
      expect(stats[`cluster.${name}.upstream_rq_503`] ?? 0).toBe(dropped);
      expect(stats[`cluster.${name}.upstream_rq_retry`]).toBeUndefined();
    }
  });

  test("are answered and logged as Envoy does", async () => {
    const seen = await Promise.all(
      unlimited.all.map(async (twin) => {
        const port = twin.ports["in"] ?? 0;
        const text = "GET /all HTTP/1.1\r\nHost: a\r\nx-case: a\r\n\r\n";
        const { messages } = await exchangeRaw({ port, parts: [text], answers: 1 });
        const headers = messages[0]?.headers.filter((line) => !line.startsWith("date:"));
        const stats = await statsOf(twin, "cluster.all.upstream_rq");
        return {
          line: messages[0]?.line,
          headers,
          body: messages[0]?.body,
          stats,
          log: await logLines(twin, 1),
        };
      }),
    );
    const [weft, envoy = weft] = seen;
    expect(weft?.body).toBe("unconditional drop overload");
    expect(weft?.log).toEqual(["a 503 UDO unconditional_drop_overload "]);
    expect(weft).toEqual(envoy);
    const lines = await Promise.all(twins.all.map((twin) => logLines(twin, 4 * REQUESTS)));
    const kinds = lines.map((some) => [...new Set(some)]);
    expect(kinds[0]).toEqual(["- 200 - via_upstream ", "- 503 DO drop_overload "]);
    expect(kinds.at(-1)).toEqual(kinds[0]);
  });
});
