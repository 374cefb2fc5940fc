import { createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filter, listenerOf, socketAddress, staticCluster, tcpListener } from "./bootstrap-json.ts";
import { BothPlanes, converse } from "./both-planes.ts";

const HTTP_INSPECTOR = filter("listener.http_inspector.v3.HttpInspector", {});
const TLS_INSPECTOR = filter("listener.tls_inspector.v3.TlsInspector", {});

function says(text: string): object {
  return filter("network.direct_response.v3.Config", { response: { inline_string: text } });
}

function chain(match: object, text: string): object {
  return { filter_chain_match: match, filters: [says(text)] };
}

const HTTP_CHAINS = [
  chain({ application_protocols: ["http/1.1"] }, "1.1"),
  chain({ application_protocols: ["http/1.0"] }, "1.0"),
  chain({ application_protocols: ["h2c"] }, "h2c"),
];

/** By listener, what it has besides its address. */
const OPTIONS = {
  http: { listener_filters: [HTTP_INSPECTOR], filter_chains: [...HTTP_CHAINS, chain({}, "other")] },
  disabled: {
    listener_filters: [
      {
        ...HTTP_INSPECTOR,
        filter_disabled: {
          and_match: {
            rules: [{ any_match: true }, { not_match: { not_match: { any_match: true } } }],
          },
        },
      },
    ],
    filter_chains: [...HTTP_CHAINS, chain({}, "other")],
  },
  late: {
    listener_filters: [HTTP_INSPECTOR],
    listener_filters_timeout: "0.1s",
    filter_chains: HTTP_CHAINS,
    default_filter_chain: { filters: [says("default")] },
    stat_prefix: "late",
  },
  lateButOn: {
    listener_filters: [HTTP_INSPECTOR],
    listener_filters_timeout: "0.1s",
    continue_on_listener_filters_timeout: true,
    filter_chains: HTTP_CHAINS,
    default_filter_chain: { filters: [says("default")] },
    stat_prefix: "lateButOn",
  },
  /** Without the inspector no name is known. */
  unread: { filter_chains: [chain({ server_names: ["a.test"] }, "a"), chain({}, "plain")] },
  nobody: { listener_filters: [HTTP_INSPECTOR], filter_chains: HTTP_CHAINS, stat_prefix: "nobody" },
  names: {
    listener_filters: [TLS_INSPECTOR],
    filter_chains: [
      chain({ server_names: ["a.test"] }, "a"),
      chain({ server_names: ["*.wild.test"] }, "wild"),
      chain({ transport_protocol: "tls", application_protocols: ["h2"] }, "h2"),
      chain({ transport_protocol: "tls" }, "tls"),
      chain({}, "plain"),
    ],
  },
} as const;

type Name = keyof typeof OPTIONS | "sni";
const NAMES: readonly Name[] = [...(Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]), "sni"];

const both = new BothPlanes<Name>();
const servers: Server[] = [];
const sockets = new Set<Socket>();

async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** What a TLS client says first. */
async function clientHello(servername: string, protocols: readonly string[]): Promise<string> {
  let caught = (_bytes: Buffer): void => undefined;
  const hello = new Promise<Buffer>((resolve) => {
    caught = resolve;
  });
  const port = await serve((socket) => {
    socket.once("data", (bytes: Buffer) => {
      caught(bytes);
      socket.destroy();
    });
  });
  const options = { port, host: "127.0.0.1", servername, ALPNProtocols: [...protocols] };
  connectTls(options).on("error", () => undefined);
  return (await hello).toString("latin1");
}

beforeAll(async () => {
  const fallback = await serve((socket) => socket.end("fallback"));
  const chosen = await serve((socket) => socket.end("chosen"));
  await both.start(NAMES, (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: NAMES.map((name) =>
        name === "sni"
          ? sniListener(ports.sni)
          : { ...listenerOf(name, ports[name], []), ...OPTIONS[name] },
      ),
      clusters: [staticCluster("fallback", [fallback]), staticCluster("a.test", [chosen])],
    },
  }));
});

function sniListener(port: number): object {
  const listener = tcpListener("sni", port, { cluster: "fallback" }) as {
    filter_chains: [{ filters: object[] }];
  };
  listener.filter_chains[0].filters.unshift(filter("network.sni_cluster.v3.SniCluster", {}));
  return { ...listener, listener_filters: [TLS_INSPECTOR] };
}

afterAll(async () => {
  await both.stop();
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

async function said(name: Name, send: string | readonly string[]): Promise<string> {
  const { weft, envoy } = await both.each(({ ports }) =>
    // It may be broken off behind the answer: what was sent is not read.
    converse({ to: { port: ports[name], noDelay: true }, send }),
  );
  expect(weft.got).toBe(envoy.got);
  return weft.got;
}

describe("listener filters choose chains as Envoy's do", () => {
  test.each([
    ["GET / HTTP/1.1\r\n\r\n", "1.1"],
    ["GET / HTTP/1.0\r\n\r\n", "1.0"],
    ["GET / HTTP/3.0\r\n\r\n", "1.0"],
    ["GET /\r\n", "1.0"],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "h2c"],
    ["SSH-2.0-x\r\n", "other"],
    ["GET /a b HTTP/1.1\r\n", "other"],
  ])("the HTTP inspector: %j", async (send, answer) => {
    expect(await said("http", send)).toBe(answer);
    // What Envoy makes of a version that there is not depends on how many bytes come at once.
    if (send.includes("HTTP/3.0")) return;
    expect(await said("http", send.split(""))).toBe(answer);
  });

  test("a filter that is disabled finds nothing", async () => {
    expect(await said("disabled", "GET / HTTP/1.1\r\n\r\n")).toBe("other");
  });

  test("the TLS inspector: names and protocols", async () => {
    expect(await said("names", await clientHello("a.test", []))).toBe("a");
    expect(await said("names", await clientHello("A.TEST", ["h2"]))).toBe("a");
    expect(await said("names", await clientHello("x.wild.test", []))).toBe("wild");
    expect(await said("names", await clientHello("other.test", ["h2", "http/1.1"]))).toBe("h2");
    expect(await said("names", await clientHello("other.test", []))).toBe("tls");
    expect(await said("names", "GET / HTTP/1.1\r\n\r\n")).toBe("plain");
    expect(await said("names", (await clientHello("a.test", [])).split(""))).toBe("a");
  });

  test("without the TLS inspector no name is known", async () => {
    expect(await said("unread", await clientHello("a.test", []))).toBe("plain");
  });

  test("sni_cluster goes to the cluster of that name", async () => {
    expect(await said("sni", await clientHello("a.test", []))).toBe("chosen");
    expect(await said("sni", await clientHello("none.test", []))).toBe("");
    expect(await said("sni", "plain text")).toBe("fallback");
  });

  test.each(["late", "lateButOn", "nobody"] as const)("what takes too long: %s", async (name) => {
    const { weft, envoy } = await both.each(async ({ ports, stats }) => {
      const send = name === "nobody" ? "nobody knows this\r\n" : "GET / HT";
      const { got } = await converse({ to: { port: ports[name] }, send });
      const counted = await stats(`listener.${name}.`);
      const names = ["downstream_pre_cx_timeout", "no_filter_chain_match", "downstream_cx_total"];
      return [got, ...names.map((stat) => counted[`listener.${name}.${stat}`])];
    });
    expect(weft).toEqual(envoy);
    expect(weft).toEqual(
      { late: ["", 1, 0, 0], lateButOn: ["default", 1, 0, 1], nobody: ["", 0, 1, 0] }[name],
    );
  });
});
