import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import {
  filter,
  httpListener,
  listenerOf,
  routeTable,
  socketAddress,
  staticCluster,
  tcpListener,
} from "./bootstrap-json.ts";
import { destroy } from "./both-planes.ts";
import { LOG_OPERATORS } from "./log-operators.ts";
import { TestAuthority } from "./test-pki.ts";
import { downstreamTls, overTls, tlsCertificate } from "./tls-json.ts";
import { type TwinPlaces, Twins } from "./twins.ts";

const NAMES = ["never", "tcp", "dead", "http", "tls", "denied", "early", "flagged"] as const;
type Name = (typeof NAMES)[number];

const GET = "GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

/** What a client sends to each; to `early` nothing before it goes. */
const SENT: Readonly<Record<Name, string>> = {
  never: "",
  tcp: GET,
  dead: "",
  http: GET,
  tls: "this is no ClientHello\r\n\r\n",
  denied: GET,
  early: "",
  flagged: GET,
};

function log(path: string, more: object = {}): object {
  const inline = LOG_OPERATORS.map((one) => `${one}\n`).join("");
  const typedConfig = {
    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
    path,
    log_format: { text_format_source: { inline_string: inline } },
  };
  return { name: "envoy.access_loggers.file", ...more, typed_config: typedConfig };
}

const fileOf = (twin: TwinPlaces, name: Name): string => `${twin.logPath}-${name}`;

let twins: Twins;
let upstream: Server;

function listeners(twin: TwinPlaces, tls: object): readonly object[] {
  const port = (name: Name): number => twin.ports[name] ?? 0;
  const logged = (name: Name, listener: object, more?: object): object => ({
    ...listener,
    access_log: [log(fileOf(twin, name), more)],
  });
  const toUp = { cluster: "up" };
  const tcp = (name: Name, options: object = toUp): object =>
    tcpListener(name, port(name), options);
  const { filter_chains: chains } = tcp("never") as { readonly filter_chains: readonly object[] };
  const never = chains.map((chain) => ({ ...chain, filter_chain_match: { destination_port: 1 } }));
  const deny = filter("network.rbac.v3.RBAC", {
    stat_prefix: "r",
    rules: { action: "ALLOW", policies: {} },
  });
  const proxy = filter("network.tcp_proxy.v3.TcpProxy", { stat_prefix: "t", ...toUp });
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up" } }];
  const http = httpListener("http", port("http"), {
    route_config: routeTable(routes),
    // How many digits a time has would make answers of different sizes.
    http_filters: [filter("http.router.v3.Router", { suppress_envoy_headers: true })],
  });
  return [
    logged("never", { ...tcp("never"), filter_chains: never }),
    logged("tcp", tcp("tcp")),
    logged("dead", tcp("dead", { cluster: "dead" })),
    logged("http", http),
    logged("tls", overTls(tcp("tls"), tls)),
    logged("denied", listenerOf("denied", port("denied"), [deny, proxy])),
    logged("early", {
      ...tcp("early"),
      listener_filters: [filter("listener.tls_inspector.v3.TlsInspector", {})],
    }),
    logged("flagged", tcp("flagged"), {
      filter: { response_flag_filter: { flags: ["NR"] } },
    }),
  ];
}

beforeAll(async () => {
  upstream = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.end("hello"));
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const { port } = upstream.address() as AddressInfo;
  const authority = await TestAuthority.create();
  const certificate = await authority.issue({});
  const tls = downstreamTls({ tls_certificates: [tlsCertificate(certificate)] });
  twins = await Twins.start(NAMES, (twin) => ({
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(twin.adminPort) },
    static_resources: {
      listeners: listeners(twin, tls),
      clusters: [staticCluster("up", [port]), staticCluster("dead", [1])],
    },
  }));
  for (const twin of twins.all) {
    for (const name of NAMES) {
      const socket = connect({ host: "127.0.0.1", port: twin.ports[name] ?? 0 });
      let isOver = false;
      socket.on("error", () => undefined);
      socket.on("close", () => {
        isOver = true;
      });
      socket.resume();
      if (name === "early") socket.end();
      else if (SENT[name] !== "") socket.write(SENT[name]);
      await until(() => isOver, `the connection to ${name} to end`);
      await destroy(socket);
    }
  }
});

afterAll(async () => {
  await twins.stop();
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
});

/**
 * What is told apart. The TCP proxy of Envoy chooses a host before the handshake, and Envoy tells of
 * sessions that were never opened; weft does not count what a filter saw that ended the connection.
 */
const OTHERWISE: Partial<Readonly<Record<Name, RegExp>>> = {
  denied: /BYTES_RECEIVED/,
  tls: /UPSTREAM|[UD]S_CX|STREAM_ID|DOWNSTREAM_LOCAL_SUBJECT|DOWNSTREAM_TLS_VERSION/,
};

const MASKED = /TIME|DURATION|_IDS?[%_]|PORT%|HOSTNAME|DATE/;

function mask(operator: string, line: string): string {
  if (MASKED.test(operator)) return line.replace(/[0-9a-f]+/g, "#").replace(/[A-Z][a-z#]+/g, "@");
  return line.replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1:port");
}

describe("the log of a listener", () => {
  test.each(NAMES.filter((name) => name !== "flagged"))(
    "has what Envoy's has: %s",
    async (name) => {
      const logs: (readonly string[])[] = [];
      for (const twin of twins.all) {
        const lines = await until(() => {
          const all = readFileSync(fileOf(twin, name), "utf8").split("\n").slice(0, -1);
          // Whoever else looks at ports that are open comes later.
          return all.length >= LOG_OPERATORS.length
            ? all.slice(0, LOG_OPERATORS.length)
            : undefined;
        }, `the log of ${name}`);
        logs.push(
          lines.map((line, at) => {
            const operator = LOG_OPERATORS[at] ?? "";
            if (OTHERWISE[name]?.test(operator) === true) return `${operator} otherwise`;
            return `${operator} ${mask(operator, line)}`;
          }),
        );
      }
      const [ours, theirs = ours] = logs;
      expect(ours?.length).toBe(LOG_OPERATORS.length);
      expect(ours).toEqual(theirs);
    },
  );

  test("has those only that its filter lets pass", () => {
    for (const twin of twins.all) expect(readFileSync(fileOf(twin, "flagged"), "utf8")).toBe("");
  });
});
