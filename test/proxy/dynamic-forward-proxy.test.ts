import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { connect as connectTls, createServer as createTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filter, httpListener, listenerOf, routeTable, socketAddress } from "./bootstrap-json.ts";
import { BothPlanes, converse } from "./both-planes.ts";
import { DnsServer } from "./dns-server.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { TestAuthority } from "./test-pki.ts";

const TYPE = "type.googleapis.com/envoy.extensions.";
const CARES = `${TYPE}network.dns_resolver.cares.v3.CaresDnsResolverConfig`;
const ROUTER = filter("http.router.v3.Router", {});
const NAMES = ["filtered", "bare", "small", "tls", "proxy"] as const;
type Name = (typeof NAMES)[number];

const both = new BothPlanes<Name>();
const servers: Server[] = [];
let dns: DnsServer;
let upstreamPort = 0;
let tlsPort = 0;

/** A cache that asks our own name server. */
function cache(name: string, options: object = {}): object {
  return {
    name,
    dns_lookup_family: "V4_ONLY",
    dns_query_timeout: "1s",
    typed_dns_resolver_config: {
      name: "envoy.network.dns_resolver.cares",
      typed_config: { "@type": CARES, resolvers: [socketAddress(dns.port)] },
    },
    ...options,
  };
}

function forwardCluster(name: string, dnsCache: object): object {
  return {
    name,
    connect_timeout: "1s",
    lb_policy: "CLUSTER_PROVIDED",
    cluster_type: {
      name: "envoy.clusters.dynamic_forward_proxy",
      typed_config: {
        "@type": `${TYPE}clusters.dynamic_forward_proxy.v3.ClusterConfig`,
        dns_cache_config: dnsCache,
      },
    },
  };
}

function forwardFilter(dnsCache: object): object {
  return filter("http.dynamic_forward_proxy.v3.FilterConfig", { dns_cache_config: dnsCache });
}

/** A route, and what it says to the filter. */
function route(path: string, action: object, settings?: object): object {
  const name = "envoy.filters.http.dynamic_forward_proxy";
  const type = `${TYPE}filters.http.dynamic_forward_proxy.v3.PerRouteConfig`;
  const said = { typed_per_filter_config: { [name]: { "@type": type, ...settings } } };
  return { match: { prefix: path }, route: action, ...(settings === undefined ? {} : said) };
}

const TELL = {
  body_format: { text_format: "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %LOCAL_REPLY_BODY%" },
};

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function bootstrap(ports: Readonly<Record<Name | "admin", number>>): object {
  const to = (cluster: string, more: object = {}): object => ({ cluster, ...more });
  const main = cache("main");
  const small = cache("small", { max_hosts: 1 });
  const tunnel = {
    match: { connect_matcher: {} },
    route: to("main", { upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] }),
  };
  const rewritten = `a.test:${upstreamPort}`;
  const http = (name: Name, filters: readonly object[], routes: readonly object[]): object =>
    httpListener(name, ports[name], {
      route_config: routeTable(routes),
      http_filters: [...filters, ROUTER],
      local_reply_config: TELL,
    });
  const sni = filter("network.sni_dynamic_forward_proxy.v3.FilterConfig", {
    port_value: tlsPort,
    dns_cache_config: main,
  });
  const tcp = filter("network.tcp_proxy.v3.TcpProxy", { stat_prefix: "t", cluster: "main" });
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        http(
          "filtered",
          [forwardFilter(main)],
          [
            route("/literal", to("main"), { host_rewrite_literal: rewritten }),
            route("/header", to("main"), { host_rewrite_header: "X-Host" }),
            route("/route", to("main", { host_rewrite_literal: rewritten })),
            route("/", to("main")),
          ],
        ),
        http("bare", [], [route("/", to("bare"))]),
        httpListener("proxy", ports.proxy, {
          route_config: routeTable([tunnel, route("/", to("main"))]),
          http_filters: [forwardFilter(main), ROUTER],
          upgrade_configs: [{ upgrade_type: "CONNECT" }],
          local_reply_config: TELL,
        }),
        http("small", [forwardFilter(small)], [route("/", to("small"))]),
        listenerOf("tls", ports.tls, [sni, tcp], {
          listener_filters: [filter("listener.tls_inspector.v3.TlsInspector", {})],
        }),
      ],
      clusters: [
        forwardCluster("main", main),
        forwardCluster("bare", cache("bare")),
        forwardCluster("small", small),
      ],
    },
  };
}

beforeAll(async () => {
  dns = await DnsServer.start();
  for (const name of ["a.test", "b.test", "c.test"]) dns.set(name, { addresses: ["127.0.0.1"] });
  dns.set("away.test", "servfail");
  const upstream = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      const host = /\r\nhost: (.*)\r\n/.exec(bytes.toString("latin1"))?.[1] ?? "";
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${host.length}\r\n\r\n${host}`);
    });
  });
  upstreamPort = await listen(upstream);
  const { cert, key } = await (await TestAuthority.create()).issue();
  tlsPort = await listen(
    createTls({ cert, key }, (socket) => {
      socket.on("error", () => undefined);
      socket.end(`you asked for ${(socket as unknown as { servername?: string }).servername}`);
    }),
  );
  await both.start(NAMES, bootstrap);
});

afterAll(async () => {
  await both.stop();
  for (const server of servers) server.close();
  await dns.stop();
});

/** Status and body; the port, which differs, as a word. */
async function ask(port: number, path: string, host: string, more = ""): Promise<string> {
  const parts = [`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`];
  const { messages } = await exchangeRaw({ port, parts, answers: 1 });
  const [message] = messages;
  const text = `${message?.line.split(" ")[1]} ${message?.body}`;
  return text.replaceAll(String(upstreamPort), "PORT");
}

describe("a dynamic forward proxy does as Envoy's", () => {
  const cases: readonly [Name, path: string, host: string, more: string, said: string][] = [
    ["filtered", "/", "a.test:PORT", "", "200 a.test:PORT"],
    ["filtered", "/", "a.test:PORT", "", "200 a.test:PORT"],
    ["filtered", "/", "127.0.0.1:PORT", "", "200 127.0.0.1:PORT"],
    ["filtered", "/literal", "x.test", "", "200 a.test:PORT"],
    ["filtered", "/header", "x.test", "X-Host: b.test:PORT\r\n", "200 b.test:PORT"],
    ["filtered", "/route", "b.test:PORT", "", "200 a.test:PORT"],
    ["bare", "/", "a.test:PORT", "", "200 a.test:PORT"],
    ["bare", "/", "a.test:PORT", "", "200 a.test:PORT"],
    ["small", "/", "a.test:PORT", "", "200 a.test:PORT"],
    ["small", "/", "b.test:PORT", "", "503 - dns_cache_overflow DNS cache overflow"],
  ];
  test.each(cases)("%s%s for %s %s", async (name, path, host, more, said) => {
    const put = (text: string): string => text.replaceAll("PORT", String(upstreamPort));
    const { weft, envoy } = await both.each(({ ports }) =>
      ask(ports[name], path, put(host), put(more)),
    );
    expect(weft).toBe(said);
    expect(envoy).toBe(said);
  });

  test.each(["nowhere.test", "away.test"])("%s cannot be found", async (host) => {
    const { weft, envoy } = await both.each(async ({ ports }) => [
      await ask(ports.filtered, "/", host),
      await ask(ports.filtered, "/route", host),
      await ask(ports.bare, "/", host),
    ]);
    // Envoy has the words of its resolver, too.
    expect(weft).toEqual(envoy.map((said) => said.replace(/\{.*\}/, "")));
    expect(weft[0]).toBe("503 DF dns_resolution_failure DNS resolution failure");
  });

  test.each([
    ["a.test:PORT", "200", "inside"],
    ["nowhere.test:443", "503", "DNS resolution failure"],
  ])("a CONNECT to %s", async (host, status, enough) => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const place = host.replace("PORT", String(upstreamPort));
      const send = [
        `CONNECT ${place} HTTP/1.1\r\nHost: ${place}\r\n\r\n`,
        "GET / HTTP/1.1\r\nhost: inside\r\n\r\n",
      ];
      const to = { host: "127.0.0.1", port: ports.proxy };
      const { got } = await converse({ to, send, enough });
      return [got.split(" ")[1], got.endsWith(enough)];
    });
    expect(weft).toEqual([status, true]);
    expect(envoy).toEqual(weft);
  });

  test("asks for a name once", async () => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const before = dns.questions.length;
      for (let turn = 0; turn < 3; turn++) {
        await ask(ports.filtered, "/", `c.test:${upstreamPort}`);
      }
      return dns.questions.slice(before);
    });
    expect(weft).toEqual(["A c.test"]);
    expect(envoy).toEqual(weft);
  });

  test.each([
    ["a.test", "you asked for a.test"],
    ["nowhere.test", ""],
  ])("a ClientHello for %s", async (servername, said) => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const socket = connectTls({
        port: ports.tls,
        host: "127.0.0.1",
        servername,
        rejectUnauthorized: false,
      });
      let got = "";
      socket.on("data", (bytes: Buffer) => {
        got += bytes.toString();
      });
      socket.on("error", () => undefined);
      await new Promise<void>((resolve) => socket.on("close", () => resolve()));
      return got;
    });
    expect(weft).toBe(said);
    expect(envoy).toBe(said);
  });

  test("counts what it looks up", async () => {
    const { weft, envoy } = await both.each(({ stats }) => stats("^dns_cache.small"));
    const names = Object.keys(weft);
    expect(names.length).toBeGreaterThan(0);
    expect(weft).toEqual(Object.fromEntries(names.map((name) => [name, envoy[name]])));
  });
});
