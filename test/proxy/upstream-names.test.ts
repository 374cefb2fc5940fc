import { createServer, type Server } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { TestAuthority } from "./test-pki.ts";
import { inline, upstreamTls } from "./tls-json.ts";

const OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

const both = new BothPlanes<"in">();
let server: Server;

/** The cluster's HTTP options, with what they say of names. */
function options(names: object, protocol: object = HTTP1): object {
  const typed = { "@type": `type.googleapis.com/${OPTIONS}`, ...protocol };
  return {
    typed_extension_protocol_options: {
      [OPTIONS]: { ...typed, upstream_http_protocol_options: names },
    },
  };
}

const HTTP1 = { explicit_http_config: { http_protocol_options: {} } };
const AUTO = { auto_config: { http_protocol_options: {}, http2_protocol_options: {} } };

beforeAll(async () => {
  const ca = await TestAuthority.create();
  const sans = [
    { type: "dns" as const, value: "*.good.example" },
    { type: "ip" as const, value: "127.0.0.1" },
  ];
  const { cert, key } = await ca.issue({ sans });
  const ALPNProtocols = ["http/1.1"];
  // Tells by which name it was asked for, and what was agreed on.
  server = createServer({ cert, key, ALPNProtocols }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => {
      const name = (socket as unknown as { servername?: string }).servername;
      const told = `${name} ${socket.alpnProtocol}`;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${told.length}\r\n\r\n${told}`);
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  const trusted = { validation_context: { trusted_ca: inline(ca.cert) } };
  const tls = (extra: object = {}, common: object = {}): object => ({
    transport_socket: upstreamTls({ ...trusted, ...common }, extra),
  });
  const named = (name: string, hostname: string, extra: object): object => ({
    ...staticCluster(name, [port], tls(extra)),
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { hostname, address: socketAddress(port) } }] }],
    },
  });
  const clusters = [
    staticCluster("sni", [port], { ...tls(), ...options({ auto_sni: true }) }),
    staticCluster("over", [port], { ...tls({ sni: "fixed" }), ...options({ auto_sni: true }) }),
    staticCluster("both", [port], {
      ...tls(),
      ...options({ auto_sni: true, auto_san_validation: true }),
    }),
    staticCluster("header", [port], {
      ...tls(),
      ...options({
        auto_sni: true,
        auto_san_validation: true,
        override_auto_sni_header: "X-Name",
      }),
    }),
    staticCluster("auto", [port], {
      ...tls({}, { alpn_protocols: ["h2", "http/1.1"] }),
      ...options({ auto_sni: true }, AUTO),
    }),
    named("host", "a.good.example", { auto_host_sni: true, auto_sni_san_validation: true }),
    named("bad_host", "bad.example", { auto_host_sni: true, auto_sni_san_validation: true }),
  ];
  const to = (cluster: string, action: object = {}): object => ({
    match: { path: `/${cluster}` },
    route: { cluster, ...action },
  });
  const routes = [
    ...["sni", "over", "both", "header", "auto", "host", "bad_host"].map((name) => to(name)),
    { match: { path: "/rewritten" }, route: { cluster: "sni", host_rewrite_literal: "b.example" } },
  ];
  await both.start(["in"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [httpListener("in", ports.in, { route_config: routeTable(routes) })],
      clusters,
    },
  }));
});

afterAll(async () => {
  await both.stop();
  server.close();
});

describe("names of TLS connections to hosts", () => {
  const cases: readonly [path: string, host: string, told: string][] = [
    ["/sni", "one.example", "200 one.example http/1.1"],
    ["/sni", "two.example:99", "200 two.example http/1.1"],
    ["/sni", "one.example", "200 one.example http/1.1"],
    ["/sni", "127.0.0.1", "200 false http/1.1"],
    ["/over", "one.example", "200 one.example http/1.1"],
    ["/rewritten", "one.example", "200 b.example http/1.1"],
    ["/both", "x.good.example", "200 x.good.example http/1.1"],
    ["/both", "x.bad.example", "503"],
    ["/both", "x.good.example", "200 x.good.example http/1.1"],
    ["/both", "127.0.0.1:1", "200 false http/1.1"],
    ["/both", "127.0.0.2", "503"],
    ["/auto", "one.example", "200 one.example http/1.1"],
    ["/host", "one.example", "200 a.good.example http/1.1"],
    ["/bad_host", "one.example", "503"],
  ];
  test.each(cases)("%s for %s", async (path, host, told) => {
    const { weft, envoy } = await both.each(({ ports }) => ask(ports.in, path, host, ""));
    expect(weft).toContain(told);
    expect(envoy).toContain(told);
  });

  test("a header's", async () => {
    const { weft, envoy } = await both.each(async ({ ports }) => [
      await ask(ports.in, "/header", "bad.example", "X-Name: x.good.example\r\n"),
      await ask(ports.in, "/header", "x.good.example", "X-Name: bad.example\r\n").then((said) =>
        said.slice(0, 3),
      ),
    ]);
    expect(weft).toEqual(["200 x.good.example http/1.1", "503"]);
    expect(envoy).toEqual(weft);
  });
});

/** Status and body. */
async function ask(port: number, path: string, host: string, headers: string): Promise<string> {
  const parts = [`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`];
  const { messages } = await exchangeRaw({ port, parts, answers: 1 });
  const [message] = messages;
  return `${message?.line.split(" ")[1]} ${message?.body}`;
}
