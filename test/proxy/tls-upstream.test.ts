import { createServer as createTcp, type Server as TcpServer } from "node:net";
import { createServer, type Server, type TlsOptions } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { TestAuthority, type TestCertificate } from "./test-pki.ts";
import { inline, tlsCertificate, upstreamTls } from "./tls-json.ts";

const SPIFFE = "spiffe://cluster.local/ns/a/sa/server";

/** A host that answers with what its TLS session is; by the name of its cluster. */
interface Case {
  readonly cluster: string;
  readonly server: TlsOptions;
  readonly common: object;
  readonly options?: object;
}

const both = new BothPlanes<"in">();
const servers: (Server | TcpServer)[] = [];
let cases: readonly Case[] = [];
let ca: TestAuthority;

async function createCases(): Promise<Case[]> {
  ca = await TestAuthority.create();
  const foreign = await TestAuthority.create("CN=foreign");
  const sans = [
    { type: "url" as const, value: SPIFFE },
    { type: "dns" as const, value: "*.wild.example" },
    { type: "ip" as const, value: "127.0.0.1" },
    { type: "email" as const, value: "a@example.com" },
  ];
  const good = await ca.issue({ subject: "CN=server", sans });
  const client = await ca.issue({ subject: "CN=client" });
  const serve = ({ cert, key }: TestCertificate, options: TlsOptions = {}): TlsOptions => ({
    cert,
    key,
    ...options,
  });
  const trusted = { trusted_ca: inline(ca.cert) };
  const validating = (validation: object): object => ({
    validation_context: { ...trusted, ...validation },
  });
  const san = (type: string, matcher: object, more: object = {}): object =>
    validating({ match_typed_subject_alt_names: [{ san_type: type, matcher, ...more }] });
  const server = serve(good);
  const asking = serve(good, { ca: ca.cert, requestCert: true, rejectUnauthorized: true });
  const mine = { tls_certificates: [tlsCertificate(client)] };
  const revoked = await ca.issue();
  const newest = { tls_params: { tls_maximum_protocol_version: "TLSv1_3" } };
  return [
    { cluster: "unverified", server, common: {} },
    { cluster: "verified", server, common: validating({}) },
    { cluster: "newest", server, common: { ...validating({}), ...newest } },
    { cluster: "sni", server, common: validating({}), options: { sni: "a.wild.example" } },
    { cluster: "uri", server, common: san("URI", { exact: SPIFFE }) },
    { cluster: "uri_prefix", server, common: san("URI", { prefix: "spiffe://cluster.local/" }) },
    { cluster: "dns", server, common: san("DNS", { exact: "b.wild.example" }) },
    { cluster: "ip", server, common: san("IP_ADDRESS", { exact: "127.0.0.1" }) },
    { cluster: "email", server, common: san("EMAIL", { suffix: "@example.com" }) },
    { cluster: "mutual", server: asking, common: { ...mine, ...validating({}) } },
    {
      cluster: "alpn",
      server: serve(good, { ALPNProtocols: ["http/1.1"] }),
      common: { ...validating({}), alpn_protocols: ["istio", "http/1.1"] },
    },
    { cluster: "bad_uri", server, common: san("URI", { exact: "spiffe://other" }) },
    { cluster: "bad_dns", server, common: san("DNS", { exact: "a.b.wild.example" }) },
    { cluster: "bad_ca", server: serve(await foreign.issue({ sans })), common: validating({}) },
    {
      cluster: "expired",
      server: serve(await ca.issue({ sans, validDays: [-3, -1] })),
      common: validating({}),
    },
    {
      cluster: "revoked",
      server: serve(revoked),
      common: validating({ crl: inline(await ca.revoke([revoked.serial])) }),
    },
    {
      cluster: "bad_pin",
      server,
      common: validating({ verify_certificate_hash: ["ab".repeat(32)] }),
    },
    { cluster: "no_cert", server: asking, common: validating({}) },
    {
      cluster: "bad_version",
      server: serve(good, { minVersion: "TLSv1.3" }),
      common: validating({}),
    },
  ];
}

/** Tells what it knows of the session, so that both planes can be compared. */
function startServer(options: TlsOptions): Promise<number> {
  const server = createServer(options, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => {
      const { subject } = socket.getPeerCertificate();
      const told = JSON.stringify([
        socket.getProtocol(),
        socket.alpnProtocol,
        (socket as unknown as { servername?: string }).servername,
        subject?.CN ?? "",
      ]);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${told.length}\r\n\r\n${told}`);
    });
  });
  return listen(server);
}

function listen(server: Server | TcpServer): Promise<number> {
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

beforeAll(async () => {
  cases = await createCases();
  const clusters: object[] = [];
  for (const { cluster, server, common, options } of cases) {
    const port = await startServer(server);
    clusters.push(
      staticCluster(cluster, [port], {
        transport_socket: upstreamTls(common, options),
        // Each request shakes hands anew, with the session of the one before.
        max_requests_per_connection: 1,
      }),
    );
  }
  const plain = createTcp((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const silent = createTcp((socket) => socket.once("data", () => socket.end()));
  const tls = {
    transport_socket: upstreamTls({ validation_context: { trusted_ca: inline(ca.cert) } }),
  };
  clusters.push(staticCluster("plain", [await listen(plain)], tls));
  clusters.push(staticCluster("silent", [await listen(silent)], tls));
  clusters.push(await matchedCluster());
  const names = clusters.map((cluster) => (cluster as { readonly name: string }).name);
  await both.start(["in"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        httpListener("in", ports.in, {
          route_config: routeTable(
            names.map((name) => ({ match: { path: `/${name}` }, route: { cluster: name } })),
          ),
        }),
      ],
      clusters,
    },
  }));
});

/** Plain and TLS hosts in one cluster, told apart by their metadata. */
async function matchedCluster(): Promise<object> {
  const { cert, key } = await ca.issue();
  const tlsPort = await startServer({ cert, key });
  const plainPort = await listen(
    createTcp((socket) =>
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain")),
    ),
  );
  const endpoint = (port: number, mode: string): object => ({
    endpoint: { address: socketAddress(port) },
    metadata: { filter_metadata: { "envoy.transport_socket_match": { tlsMode: mode } } },
  });
  return {
    ...staticCluster("matched", [1]),
    transport_socket_matches: [
      {
        name: "tls",
        match: { tlsMode: "istio" },
        transport_socket: upstreamTls({ validation_context: { trusted_ca: inline(ca.cert) } }),
      },
      {
        name: "plain",
        match: {},
        transport_socket: {
          name: "envoy.transport_sockets.raw_buffer",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
          },
        },
      },
    ],
    load_assignment: {
      cluster_name: "matched",
      endpoints: [{ lb_endpoints: [endpoint(tlsPort, "istio"), endpoint(plainPort, "none")] }],
    },
  };
}

afterAll(async () => {
  await both.stop();
  for (const server of servers) server.close();
});

async function get(port: number, cluster: string): Promise<[status: number, body: string]> {
  const answer = await fetch(`http://127.0.0.1:${port}/${cluster}`);
  return [answer.status, await answer.text()];
}

describe("TLS to hosts does as Envoy's", () => {
  test.each([
    "unverified",
    "verified",
    "newest",
    "sni",
    "uri",
    "uri_prefix",
    "dns",
    "ip",
    "email",
    "mutual",
    "alpn",
  ])("%s is reached", async (cluster) => {
    const { weft, envoy } = await both.each(({ ports }) => get(ports.in, cluster));
    expect(weft).toEqual([200, expect.anything()]);
    expect(weft).toEqual(envoy);
  });

  test.each(["verified", "newest", "uri"])(
    "%s is reached again by its session",
    async (cluster) => {
      const { weft, envoy } = await both.each(async ({ ports, stats }) => {
        const stat = `cluster.${cluster}.ssl.session_reused`;
        const before = (await stats(stat))[stat];
        const answers = [];
        for (let request = 0; request < 3; request++) answers.push(await get(ports.in, cluster));
        const after = (await stats(stat))[stat];
        return {
          answers: answers.map(([status]) => status),
          isReused: Number(after) > Number(before),
        };
      });
      expect(weft).toEqual({ answers: [200, 200, 200], isReused: true });
      expect(envoy).toEqual(weft);
    },
  );

  const refused: readonly [cluster: string, stat: string][] = [
    ["bad_uri", "fail_verify_san"],
    ["bad_dns", "fail_verify_san"],
    ["bad_ca", "fail_verify_error"],
    ["expired", "fail_verify_error"],
    ["revoked", "fail_verify_error"],
    ["bad_pin", "fail_verify_cert_hash"],
    ["no_cert", "connection_error"],
    ["bad_version", "connection_error"],
    ["plain", "connection_error"],
    ["silent", "handshake"],
  ];
  test.each(refused)("%s is refused: %s", async (cluster, stat) => {
    const { weft, envoy } = await both.each(async ({ ports, stats }) => {
      const answer = await get(ports.in, cluster);
      const counters = await stats(`cluster.${cluster}.ssl.${stat}`);
      const fails = await stats(`cluster.${cluster}.upstream_cx_connect_fail`);
      return { answer, counters, fails };
    });
    expect(weft.answer[0]).toBe(503);
    expect(weft).toEqual(envoy);
  });

  test("each host has the transport that its metadata matches", async () => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const bodies = [(await get(ports.in, "matched"))[1], (await get(ports.in, "matched"))[1]];
      return bodies.map((body) => (body === "plain" ? body : "tls")).sort();
    });
    expect(weft).toEqual(["plain", "tls"]);
    expect(weft).toEqual(envoy);
  });
});
