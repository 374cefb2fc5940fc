import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";
import { TestAuthority, type TestCertificate } from "./test-pki.ts";
import { askTls } from "./tls-client.ts";
import { downstreamTls, inline, overTls, tlsCertificate } from "./tls-json.ts";

const modes = [
  "SANITIZE",
  "FORWARD_ONLY",
  "APPEND_FORWARD",
  "SANITIZE_SET",
  "ALWAYS_FORWARD_ONLY",
] as const;
type Mode = (typeof modes)[number];
type Name = Mode | "SUBJECT";

const both = new BothPlanes<Name>();
let upstream: Server;
let client: TestCertificate;
let chain: TestCertificate;

/** Answers with the headers in question. */
function startUpstream(): Promise<number> {
  upstream = createServer((request, response) => {
    const { headers } = request;
    response.end(
      JSON.stringify([headers["x-forwarded-client-cert"] ?? null, headers["x-forwarded-proto"]]),
    );
  });
  return new Promise((resolve) => {
    upstream.listen(0, "127.0.0.1", () => {
      const address = upstream.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

beforeAll(async () => {
  const port = await startUpstream();
  const ca = await TestAuthority.create();
  const middle = await TestAuthority.create("CN=middle", ca);
  const options = {
    subject: 'C=DE,O=A\\, "B" \\; \\\\,OU=\\#x,CN=cl ient é',
    sans: [
      { type: "url" as const, value: "spiffe://cluster.local/ns/a/sa/b" },
      { type: "dns" as const, value: "one.example" },
      { type: "url" as const, value: "http://x/y" },
      { type: "dns" as const, value: "two.example" },
    ],
  };
  client = await ca.issue(options);
  const leaf = await middle.issue(options);
  chain = { ...leaf, cert: leaf.cert + middle.cert };
  const server = await ca.issue({
    sans: [{ type: "url", value: "spiffe://cluster.local/ns/a/sa/server" }],
  });
  const transport = downstreamTls({
    tls_certificates: [tlsCertificate(server)],
    validation_context: { trusted_ca: inline(ca.cert) },
  });
  const all = { subject: true, cert: true, chain: true, dns: true, uri: true };
  const listener = (name: Name, at: number, details: object): object =>
    overTls(
      httpListener(name, at, {
        forward_client_cert_details: name === "SUBJECT" ? "SANITIZE_SET" : name,
        set_current_client_cert_details: details,
        route_config: routeTable([{ match: { prefix: "/" }, route: { cluster: "upstream" } }]),
      }),
      transport,
    );
  await both.start([...modes, "SUBJECT"], (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        ...modes.map((mode) => listener(mode, ports[mode], all)),
        listener("SUBJECT", ports.SUBJECT, { subject: true }),
      ],
      clusters: [staticCluster("upstream", [port])],
    },
  }));
});

afterAll(async () => {
  await both.stop();
  upstream.close();
});

const CLAIM = "x-forwarded-client-cert: By=old;Hash=1\r\n";

describe("x-forwarded-client-cert is Envoy's", () => {
  const senders = ["nobody", "a client", "a client with its chain"] as const;
  const cases = [...modes, "SUBJECT" as const].flatMap((name) =>
    senders.flatMap((sender) => ["", CLAIM].map((claim) => [name, sender, claim] as const)),
  );
  test.each(cases)("%s of %s, who says '%s'", async (name, sender, claim) => {
    const certificate = { nobody: {}, "a client": client, "a client with its chain": chain }[
      sender
    ];
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const { text } = await askTls(ports[name], certificate, claim);
      return text.slice(text.indexOf("\r\n\r\n"));
    });
    expect(weft).toBe(envoy);
    const tells = name === "SANITIZE_SET" && sender !== "nobody";
    expect(weft).toContain(tells ? "By=spiffe" : "https");
  });
});
