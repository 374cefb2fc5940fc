import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { socketAddress, staticCluster, tcpListener } from "./bootstrap-json.ts";
import { BothPlanes, converse } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";

const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const FORMAT =
  "%RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %BYTES_RECEIVED% %BYTES_SENT% %ACCESS_LOG_TYPE%\n";

/** By listener, what its TCP proxy has besides its log. */
const OPTIONS = {
  echo: { cluster: "echo" },
  refused: { cluster: "refused" },
  attempts: { cluster: "refused", max_connect_attempts: 3 },
  /** The first host refuses, the next does not. */
  other: { cluster: "other", max_connect_attempts: 4 },
  none: { cluster: "none" },
  nowhere: { cluster: "nowhere" },
  full: { cluster: "full" },
  idle: { cluster: "silent", idle_timeout: "0.2s" },
  duration: { cluster: "silent", max_downstream_connection_duration: "0.2s" },
  ends: { cluster: "ends" },
  resets: { cluster: "resets" },
  connected: { cluster: "echo", access_log_options: { flush_access_log_on_connected: true } },
} as const;

type Name = keyof typeof OPTIONS;
const NAMES = Object.keys(OPTIONS) as Name[];

const both = new BothPlanes<Name>();
const servers: Server[] = [];
const sockets = new Set<Socket>();
const folder = mkdtempSync(join(tmpdir(), "weft-tcp-"));

async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

beforeAll(async () => {
  const echo = await serve((socket) => socket.pipe(socket));
  const silent = await serve(() => undefined);
  const ends = await serve((socket) => socket.end("bye"));
  const resets = await serve((socket) => socket.once("data", () => socket.resetAndDestroy()));
  const [refused = 0] = await freePorts(1);
  const breaker = { thresholds: [{ max_connections: 0 }] };
  await both.start(NAMES, (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: NAMES.map((name) =>
        tcpListener(name, ports[name], {
          ...OPTIONS[name],
          access_log: [log(ports.admin, name)],
        }),
      ),
      clusters: [
        staticCluster("echo", [echo]),
        staticCluster("silent", [silent]),
        staticCluster("ends", [ends]),
        staticCluster("resets", [resets]),
        staticCluster("refused", [refused]),
        staticCluster("other", [refused, echo]),
        staticCluster("none", []),
        staticCluster("full", [echo], { circuit_breakers: breaker }),
      ],
    },
  }));
});

afterAll(async () => {
  await both.stop();
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(folder, { recursive: true, force: true });
});

function logFile(admin: number, name: Name): string {
  return join(folder, `${admin}-${name}`);
}

function log(admin: number, name: Name): object {
  const typedConfig = {
    "@type": FILE_LOG,
    path: logFile(admin, name),
    log_format: { text_format_source: { inline_string: FORMAT } },
  };
  return { name: "log", typed_config: typedConfig };
}

/** The entries of one connection, and what was counted. */
async function outcome(
  plane: { readonly ports: Readonly<Record<Name | "admin", number>>; stats: StatsReader },
  name: Name,
  entries: number,
): Promise<object> {
  const path = logFile(plane.ports.admin, name);
  const text = await until(() => {
    const read = readFileSync(path, "utf8");
    return read.split("\n").length > entries ? read : undefined;
  }, `an access log of ${name}`);
  const counted = await plane.stats(`tcp.${name}.`);
  return {
    text,
    counted: Object.entries(counted)
      .filter(([stat, value]) => value > 0 && !LOOSE.test(stat))
      .map(([stat, value]) => `${stat}: ${value}`)
      .sort(),
  };
}

type StatsReader = (filter: string) => Promise<Readonly<Record<string, number>>>;

/** How often a reader has to wait is a matter of timing. */
const LOOSE = /flow_control|buffered/;

describe("tcp_proxy does as Envoy's does", () => {
  const cases: readonly (readonly [Name, string, boolean])[] = [
    ["refused", "", false],
    ["attempts", "", false],
    ["none", "", false],
    ["nowhere", "", false],
    ["full", "", false],
    ["idle", "hello", false],
    ["duration", "hello", false],
    ["ends", "", true],
    ["resets", "hello", false],
    ["echo", "x".repeat(300_000), true],
  ];

  test.each(cases)("%s", async (name, send, ends) => {
    const { weft, envoy } = await both.each(async (plane) => {
      const { got, end } = await converse({ to: { port: plane.ports[name] }, send, ends });
      return { got: got.length, end, ...(await outcome(plane, name, 1)) };
    });
    expect(weft).toEqual(envoy);
  });

  test("another host is tried, and gets what was sent before", async () => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const answers: string[] = [];
      for (let times = 0; times < 4; times++) {
        answers.push(
          (await converse({ to: { port: ports.other }, send: "hello", ends: true })).got,
        );
      }
      return answers;
    });
    expect(weft).toEqual(["hello", "hello", "hello", "hello"]);
    expect(weft).toEqual(envoy);
  });

  test("the log may have an entry when the upstream is connected", async () => {
    const { weft, envoy } = await both.each(async (plane) => {
      await converse({ to: { port: plane.ports.connected }, send: "hello", ends: true });
      return outcome(plane, "connected", 2);
    });
    expect(weft).toEqual(envoy);
  });
});
