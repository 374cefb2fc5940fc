import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";

const TYPE = "type.googleapis.com/envoy.extensions";

const planes = new BothPlanes<"http">();
let upstream: Server;

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

interface Dump {
  readonly configs: readonly { readonly "@type": string }[];
}

function bootstrap(ports: Readonly<Record<"http" | "admin", number>>, refusedPort: number): object {
  const at = (port_value: number): object => ({
    address: { socket_address: { address: "127.0.0.1", port_value } },
  });
  const cluster = (name: string, port: number): object => ({
    name,
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { ...at(port), hostname: `${name}.test` } }] }],
    },
  });
  const routes = [
    { match: { prefix: "/bad" }, route: { cluster: "bad" } },
    { match: { prefix: "/away" }, redirect: { path_redirect: "/up" } },
    { match: { prefix: "/own" }, direct_response: { status: 204 } },
    {
      match: {
        prefix: "/switch",
        runtime_fraction: { default_value: { numerator: 0 }, runtime_key: "switch.on" },
      },
      direct_response: { status: 202 },
    },
    { match: { prefix: "/up" }, route: { cluster: "up.a|b" } },
  ];
  const manager = {
    "@type": `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "in.side",
    route_config: { name: "rc", virtual_hosts: [{ name: "vh", domains: ["*"], routes }] },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${TYPE}.filters.http.router.v3.Router` },
      },
    ],
  };
  return {
    node: { id: "node-1", cluster: "tests", metadata: { a: 1 } },
    admin: at(ports.admin),
    stats_flush_interval: "0.2s",
    layered_runtime: {
      layers: [
        { name: "base", static_layer: { a: { b: 5, c: "text" }, f: 1.5, d: true } },
        { name: "adm", admin_layer: {} },
        { name: "top", static_layer: { d: 7 } },
      ],
    },
    stats_config: {
      stats_tags: [
        { tag_name: "mesh", fixed_value: "m1" },
        { tag_name: "kind", regex: "^cluster\\.(?:bad|up\\.a\\|b)\\.(circuit_(breakers)\\.)" },
      ],
      histogram_bucket_settings: [
        { match: { suffix: "downstream_rq_time" }, buckets: [1, 100, 10_000] },
      ],
      stats_matcher: { exclusion_list: { patterns: [{ suffix: "rx_bytes_total" }] } },
    },
    static_resources: {
      listeners: [
        {
          name: "l",
          ...at(ports.http),
          filter_chains: [{ filters: [{ name: "hcm", typed_config: manager }] }],
        },
      ],
      clusters: [
        cluster("up.a|b", (upstream.address() as AddressInfo).port),
        cluster("bad", refusedPort),
      ],
    },
  };
}

beforeAll(async () => {
  upstream = createServer((request, response) => {
    response.statusCode = request.url === "/up/500" ? 500 : 200;
    response.end("hello");
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const [refusedPort = 0] = await freePorts(1);
  await planes.start(["http"], (ports) => bootstrap(ports, refusedPort));
  await planes.each(async ({ ports, stats }) => {
    for (const path of ["/up", "/up/500", "/bad", "/away", "/own", "/nowhere"]) {
      const text = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
      await exchangeRaw({ port: ports.http, parts: [text], answers: 2 });
    }
    await exchangeRaw({ port: ports.http, parts: ["BAD\r\n\r\n"], answers: 2 });
    // Both tell histograms when an interval has passed.
    await until(async () => {
      const gone = await stats("http.in.side.downstream_cx_active");
      const page = await ask(ports.admin, "/stats?filter=upstream_rq_time");
      return Object.values(gone)[0] === 0 && /upstream_rq_time: P0\(/.test(page.text);
    }, "statistics to settle");
  });
});

afterAll(async () => {
  await planes.stop();
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
});

async function ask(port: number, path: string, method = "GET"): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  const type = response.headers.get("content-type");
  return { status: response.status, type, text: await response.text() };
}

function each<T>(run: (plane: Plane<"http">) => Promise<T>): Promise<{ weft: T; envoy: T }> {
  return planes.each(run);
}

const both = (path: string, method?: string): Promise<{ weft: Answer; envoy: Answer }> =>
  each(async ({ ports }) => {
    const answer = await ask(ports.admin, path, method);
    const text = answer.text.replaceAll(/127\.0\.0\.1([_:])\d+/g, "127.0.0.1$1port");
    return { ...answer, text };
  });

/** What a proxy in another language, with another memory and another age, says otherwise. */
const OWN =
  /^(?:filesystem\.|server\.|http\.admin|listener\.admin|.*(?:_ms|_time|tx_bytes_total)$)/;

function linesOf(text: string): Map<string, string> {
  return new Map(
    text
      .split("\n")
      .filter((line) => line.includes(": "))
      .map((line) => line.split(": ") as [string, string]),
  );
}

describe("/stats", () => {
  test("has no name that Envoy lacks", async () => {
    const { weft, envoy } = await both("/stats");
    const known = linesOf(envoy.text);
    expect([...linesOf(weft.text).keys()].filter((name) => !known.has(name))).toEqual([]);
  });

  test("lacks only names that docs/statistics.md gives a reason for", async () => {
    const { weft, envoy } = await both("/stats");
    const ours = linesOf(weft.text);
    const lacking = [...linesOf(envoy.text).keys()].filter((name) => !ours.has(name));
    const page = readFileSync(new URL("../../docs/statistics.md", import.meta.url), "utf8");
    const reasons = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, name = ""]) => {
      const pattern = name.replaceAll(".", "\\.").replaceAll("*", ".*");
      return new RegExp(`^${pattern}$`);
    });
    expect(lacking.filter((name) => !reasons.some((one) => one.test(name)))).toEqual([]);
  });

  test("counts as Envoy does", async () => {
    const { weft, envoy } = await both("/stats");
    const theirs = linesOf(envoy.text);
    const ours = [...linesOf(weft.text)].filter(([name]) => !OWN.test(name));
    expect(Object.fromEntries(ours)).toEqual(
      Object.fromEntries(ours.map(([name]) => [name, theirs.get(name)])),
    );
  });

  test.each(["Gauges", "Counters", "Histograms"])("tells %s apart", async (type) => {
    const { weft, envoy } = await both(`/stats?type=${type}`);
    const known = linesOf(envoy.text);
    const names = [...linesOf(weft.text).keys()];
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });

  test.each([
    "/stats?filter=cluster.bad.upstream_rq_5",
    "/stats?filter=%5Ehttp.in.side.downstream_rq_.xx&usedonly",
    "/stats?filter=%5Ecluster.bad.membership_(change|total)&format=json",
    "/stats?type=nothing",
    "/stats?filter=no.such.name",
    "/stats?filter=%5E%5B%5Er%5D|%5Er%5B%5Eu%5D|_%5B%5Ek%5D&invert_filter",
    "/stats?filter=%5Eruntime.num_k+eys",
    "/stats?filter=cluster.bad.membership_total$&invert_filter&type=TextReadouts",
    "/stats/prometheus?histogram_buckets=disjoint",
    "/stats/prometheus?filter=bad.membership_total&text_readouts",
    "/stats?type=Gauges&filter=membership_total",
    "/stats?filter=in.side.downstream_rq_time$&histogram_buckets=cumulative",
    "/stats?filter=in.side.downstream_rq_time$&histogram_buckets=cumulative&format=json",
  ])("answers %s alike", async (path) => {
    const { weft, envoy } = await both(path);
    // Where a value falls is a matter of speed, which buckets there are is not.
    const mask = ({ text, ...rest }: Answer): Answer => {
      if (!path.includes("buckets")) return { text, ...rest };
      return { ...rest, text: text.replaceAll(/\(\d+,\d+\)|\d+(?=[,}])/g, "#") };
    };
    expect(mask(weft)).toEqual(mask(envoy));
  });

  test("writes quantiles as Envoy does", async () => {
    const quantiles =
      /^http\.in\.side\.downstream_rq_time: (?:P[\d.]+\((?:[\d.]+|nan),[\d.]+\) ?)+$/m;
    const shape = (text: string): string => text.replaceAll(/\([^)]*\)/g, "()");
    const { weft, envoy } = await both("/stats?filter=in.side.downstream_rq_time$");
    expect(weft.text).toMatch(quantiles);
    expect(shape(weft.text)).toBe(shape(envoy.text));
  });

  test("says how it is used", async () => {
    const [weft] = planes.planes;
    const port = weft?.ports.admin ?? 0;
    expect(await ask(port, "/stats?format=x")).toMatchObject({ status: 400 });
    expect(await ask(port, "/stats?histogram_buckets=x")).toMatchObject({ status: 400 });
    expect(await ask(port, "/stats?filter=(")).toMatchObject({ status: 400 });
  });
});

/** One line of Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/. */
const SAMPLE =
  /^[a-zA-Z_:][a-zA-Z0-9_:]*\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*"(?:,|(?=\})))*\} [\d.e+-]+$/;

describe("/stats/prometheus", () => {
  test("has the names, labels and types that Envoy has", async () => {
    const { weft, envoy } = await both("/stats/prometheus");
    // The order of labels means nothing.
    const series = (text: string): string[] =>
      text
        .split("\n")
        // Envoy counts files from before it knows of labels.
        .filter((line) => line !== "" && !line.startsWith("envoy_filesystem"))
        .map((line) => {
          const [, name, labels = ""] = /^(\w+)\{(.*)\} \S+$/.exec(line) ?? [];
          return name === undefined ? line : `${name}{${labels.split(",").sort().join(",")}}`;
        });
    const known = new Set(series(envoy.text));
    expect(series(weft.text).length).toBeGreaterThan(150);
    expect(series(weft.text).filter((line) => !known.has(line))).toEqual([]);
    expect(weft.type).toBe(envoy.type);
  });

  test("is the text format", async () => {
    const [weft] = planes.planes;
    const { text } = await ask(weft?.ports.admin ?? 0, "/stats?format=prometheus&usedonly");
    const lines = text.trimEnd().split("\n");
    const types = lines.filter((line) => line.startsWith("#"));
    expect(new Set(types).size).toBe(types.length);
    expect(lines.filter((line) => !line.startsWith("#") && !SAMPLE.test(line))).toEqual([]);
  });
});

/** Nobody counts what waits for one host. */
const PENDING = ["rq_pending_active of up", "rq_pending_active of bad"];

describe("other pages", () => {
  test.each([
    ["/ready"],
    ["/listeners"],
    ["/logging", "GET"],
    ["/reset_counters", "GET"],
    ["/reopen_logs", "POST"],
    ["/init_dump"],
    ["/init_dump?mask=listener"],
    ["/cpuprofiler", "GET"],
    ["/cpuprofiler?enable=x", "POST"],
    ["/cpuprofiler?enable=n", "POST"],
    ["/runtime_modify", "GET"],
    ["/runtime_modify", "POST"],
  ])("%s answers alike", async (path, method?: string) => {
    const { weft, envoy } = await both(path, method);
    expect(weft).toEqual(envoy);
  });

  test("/clusters has Envoy's lines", async () => {
    const { weft, envoy } = await both("/clusters");
    const known = new Set(envoy.text.split("\n"));
    expect(weft.text.split("\n").filter((line) => !known.has(line))).toEqual([]);
    // Without Envoy weft is held against itself, and nothing is missing.
    const missing = envoy.text === weft.text ? 0 : PENDING.length;
    expect(known.size).toBe(new Set(weft.text.split("\n")).size + missing);
    const { weft: json } = await both("/clusters?format=json&filter=bad");
    expect((JSON.parse(json.text) as { cluster_statuses: object[] }).cluster_statuses).toHaveLength(
      1,
    );
  });

  test("/listeners?format=json tells addresses", async () => {
    const { weft, envoy } = await both("/listeners?format=json");
    const mask = (text: string): unknown => JSON.parse(text.replaceAll(/: \d+/g, ": 1"));
    expect(mask(weft.text)).toEqual(mask(envoy.text));
  });

  test("tells which pages there are where there is none", async () => {
    const { weft, envoy } = await both("/not-here");
    expect(weft.status).toBe(envoy.status);
    expect(weft.text.split("\n")[0]).toBe(envoy.text.split("\n")[0]);
  });

  test("/server_info names the node", async () => {
    const { weft } = await both("/server_info");
    expect(JSON.parse(weft.text)).toMatchObject({
      state: "LIVE",
      hot_restart_version: "disabled",
      node: { id: "node-1", cluster: "tests", metadata: { a: 1 } },
    });
  });

  test("/config_dump gives one list, some names and some fields", async () => {
    const page = "/config_dump?resource=static_clusters&mask=cluster.name";
    const { weft, envoy } = await both(page);
    const byName = (text: string): unknown => new Set((JSON.parse(text) as Dump).configs);
    expect(byName(weft.text)).toEqual(byName(envoy.text));
    const named = await both("/config_dump?include_eds&name_regex=^bad$");
    const [ours, theirs] = [named.weft, named.envoy].map(({ text }) =>
      (JSON.parse(text) as Dump).configs.map((one) => one["@type"]),
    );
    // A dump of Envoy's has parts for what there is none of.
    expect(theirs).toEqual(expect.arrayContaining(ours ?? []));
    expect(named.weft.text).not.toContain("up.a|b.test:");
    const wrong = await both("/config_dump?resource=nothing");
    expect(wrong.weft.text).toBe(wrong.envoy.text);
    expect(wrong.weft.status).toBe(wrong.envoy.status);
  });

  test("/memory counts bytes", async () => {
    const { weft, envoy } = await both("/memory");
    const [ours, theirs] = [weft, envoy].map(({ text }) => JSON.parse(text) as object);
    expect(Object.keys(ours ?? {})).toEqual(Object.keys(theirs ?? {}));
  });

  test("/runtime says what each layer has, and the admin layer changes it", async () => {
    const path = "/switch";
    const ask202 = (): Promise<unknown> =>
      each(async ({ ports }) => (await ask(ports.http, path)).status);
    const pages = async (): Promise<unknown[]> => {
      const runtime = await both("/runtime");
      expect(JSON.parse(runtime.weft.text)).toEqual(JSON.parse(runtime.envoy.text));
      const stats = await both("/stats?filter=%5Eruntime.(num|admin|load_success)");
      expect(stats.weft.text).toBe(stats.envoy.text);
      return [await ask202(), linesOf(stats.weft.text).get("runtime.num_keys")];
    };
    expect(await pages()).toEqual([{ weft: 404, envoy: 404 }, "4"]);
    const query = "switch.on=100&a.b=9&z=x+y%20z&d=3&frac=%7Bnumerator:%205%7D";
    const changed = await both(`/runtime_modify?${query}`, "POST");
    expect(changed.weft).toEqual(changed.envoy);
    expect(await pages()).toEqual([{ weft: 202, envoy: 202 }, "7"]);
    const form = await each(async ({ ports }) => {
      const answer = await fetch(`http://127.0.0.1:${ports.admin}/runtime_modify`, {
        method: "POST",
        body: "switch.on=0&q=1&form=a+b",
        headers: { "content-type": "application/x-www-form-urlencoded" },
      });
      return answer.text();
    });
    expect(form).toEqual({ weft: "OK\n", envoy: "OK\n" });
    expect(await pages()).toEqual([{ weft: 404, envoy: 404 }, "9"]);
    await both("/runtime_modify?switch.on=&q=&form=&z=&a.b=&d=&frac=&nobody=", "POST");
    expect(await pages()).toEqual([{ weft: 404, envoy: 404 }, "4"]);
    const [weft] = planes.planes;
    const refused = await ask(
      weft?.ports.admin ?? 0,
      "/runtime_modify?envoy.reloadable_features.x=true&ok=1",
      "POST",
    );
    expect(refused).toMatchObject({ status: 400 });
    expect(refused.text).toContain("envoy.reloadable_features.x");
    expect(await pages()).toEqual([{ weft: 404, envoy: 404 }, "4"]);
  });

  test("/stats in other formats", async () => {
    const [weft] = planes.planes;
    const port = weft?.ports.admin ?? 0;
    const html = await ask(port, "/stats?format=html&filter=membership_total");
    expect(html.type).toBe("text/html; charset=UTF-8");
    expect(html.text).toContain("cluster.bad.membership_total: 1\n");
    const page = "/stats/prometheus?histogram_buckets=summary&filter=in.side.downstream_rq_time$";
    const { weft: ours, envoy } = await both(page);
    const shape = (text: string): string[] =>
      text
        .split("\n")
        .map((line) =>
          line
            .replace(/ (?:[\d.]+|nan)$/, "")
            .replace(/\{(.*)\}/, (_, labels: string) => labels.split(",").sort().join(",")),
        );
    expect(shape(ours.text)).toEqual(shape(envoy.text));
  });

  test("/logging changes levels, or says why not", async () => {
    const level = (text: string, name: string): string | undefined =>
      linesOf(text).get(`  ${name}`);
    const { weft, envoy } = await both("/logging?upstream=debug", "POST");
    expect(weft.status).toBe(200);
    expect(level(weft.text, "upstream")).toBe(level(envoy.text, "upstream"));
    const paths = await both("/logging?paths=config:off,main:trace", "POST");
    for (const name of ["config", "main"]) {
      expect(level(paths.weft.text, name)).toBe(level(paths.envoy.text, name));
    }
    for (const query of ["nobody=info", "level=loud", "paths=config:loud", "a=info&b=info"]) {
      const wrong = await both(`/logging?${query}`, "POST");
      const [ours, theirs] = [wrong.weft, wrong.envoy].map(({ status, text }) => {
        return { query, status, problem: text.split("\n")[0] };
      });
      expect(ours).toEqual(theirs);
    }
    await both("/logging?level=warning", "POST");
  });

  test("/reset_counters lets them begin again", async () => {
    const { weft, envoy } = await both("/reset_counters", "POST");
    expect(weft).toEqual(envoy);
    const after = await both("/stats?filter=cluster.bad.(upstream_rq_503|membership_total)");
    expect(after.weft).toEqual(after.envoy);
  });
});
