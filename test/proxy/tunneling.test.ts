import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { socketAddress, staticCluster, tcpListener } from "./bootstrap-json.ts";
import { BothPlanes, type Conversation, converse } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";

const TARGET = "db.example:5432";

/** By listener: the cluster is of the same name unless it says another. */
const TUNNELS = {
  granted: { hostname: TARGET },
  post: { hostname: TARGET, use_post: true },
  path: { hostname: TARGET, use_post: true, post_path: "/tunnel?a" },
  headers: {
    hostname: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%:7",
    headers_to_add: [
      { header: { key: "X-From", value: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" } },
      { header: { key: "x-a", value: "1" } },
      { header: { key: "X-A", value: "2" } },
    ],
  },
  created: { hostname: TARGET },
  forbidden: { hostname: TARGET },
  silent: { hostname: TARGET },
  refused: { hostname: TARGET },
  again: { hostname: TARGET },
  nonsense: { hostname: TARGET },
  ends: { hostname: TARGET },
} as const;

type Name = keyof typeof TUNNELS;
const NAMES = Object.keys(TUNNELS) as Name[];

const both = new BothPlanes<Name>();
const servers: Server[] = [];
const sockets = new Set<Socket>();
const folder = mkdtempSync(join(tmpdir(), "weft-tunnel-"));
/** The heads of all requests since the last look. */
const heads: string[] = [];

/** A proxy that answers each request with `answer` and then does with the bytes what it does. */
async function serve(
  answer: string,
  onOpen: (socket: Socket, rest: string) => void,
): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    let text = "";
    const read = (bytes: Buffer): void => {
      text += bytes.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) return;
      socket.off("data", read);
      heads.push(text.slice(0, end));
      socket.write(answer);
      onOpen(socket, text.slice(end + 4));
    };
    socket.on("data", read);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function echo(socket: Socket, rest: string): void {
  if (rest !== "") socket.write(rest, "latin1");
  socket.pipe(socket);
}

const CHUNKED = "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";

beforeAll(async () => {
  const granted = await serve("HTTP/1.1 200 OK\r\n\r\n", echo);
  const chunked = await serve(CHUNKED, echo);
  const created = await serve("HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\n", echo);
  const forbidden = await serve(
    "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
    () => undefined,
  );
  const silent = await serve("", (socket) => socket.end());
  const nonsense = await serve("SSH-2.0-x\r\n\r\n", () => undefined);
  const ends = await serve("HTTP/1.1 200 OK\r\n\r\nbye", (socket) => socket.end());
  const [refused = 0] = await freePorts(1);
  const clusters: Readonly<Record<Name, readonly number[]>> = {
    granted: [granted],
    post: [chunked],
    path: [chunked],
    headers: [granted],
    created: [created],
    forbidden: [forbidden],
    silent: [silent],
    refused: [refused],
    again: [refused, granted],
    nonsense: [nonsense],
    ends: [ends],
  };
  await both.start(NAMES, (ports) => ({
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: NAMES.map((name) =>
        tcpListener(name, ports[name], {
          cluster: name,
          tunneling_config: TUNNELS[name],
          max_connect_attempts: name === "again" ? 3 : 1,
          access_log: [log(ports.admin, name)],
        }),
      ),
      clusters: NAMES.map((name) => staticCluster(name, clusters[name])),
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
  const format = "%RESPONSE_FLAGS% %UPSTREAM_CLUSTER% %BYTES_RECEIVED% %BYTES_SENT%\n";
  return {
    name: "log",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
      path: logFile(admin, name),
      log_format: { text_format_source: { inline_string: format } },
    },
  };
}

interface Outcome extends Conversation {
  readonly heads: readonly string[];
  readonly log: string;
}

/** What the client got, what the other proxy was asked, and what was logged. */
async function talk(
  ports: Readonly<Record<Name | "admin", number>>,
  name: Name,
  enough: string | undefined,
): Promise<Outcome> {
  heads.length = 0;
  const to = { port: ports[name], host: "127.0.0.1" };
  const got = await converse({
    to,
    // One that ends by itself ends whenever it likes.
    send: name === "ends" ? "" : "hello",
    ...(enough === undefined ? {} : { enough }),
  });
  const file = logFile(ports.admin, name);
  await until(() => readFileSync(file, "utf8").includes("\n"), `the log of ${name}`);
  // Whether the client's own bytes, which nobody reads, make the end a reset is a matter of luck.
  const end = name === "refused" && got.end === "reset" ? "closed" : got.end;
  return { ...got, end, heads: [...heads], log: readFileSync(file, "utf8") };
}

describe("tunneling_config", () => {
  const cases: readonly [Name, string, string | undefined][] = [
    ["granted", "hello", "hello"],
    ["created", "hello", "hello"],
    ["headers", "hello", "hello"],
    ["post", "hello", "hello"],
    ["path", "hello", "hello"],
    ["forbidden", "", undefined],
    ["silent", "", undefined],
    ["refused", "", undefined],
    ["nonsense", "", undefined],
    ["ends", "bye", undefined],
  ];
  test.each(cases)("%s", async (name, got, enough) => {
    const { weft, envoy } = await both.each(({ ports }) => talk(ports, name, enough));
    expect(weft.got).toBe(got);
    expect(weft).toEqual(envoy);
  });

  test("tries the next host", async () => {
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const got: string[] = [];
      for (let turn = 0; turn < 3; turn++) {
        const to = { port: ports.again, host: "127.0.0.1" };
        got.push((await converse({ to, send: "hello", enough: "hello" })).got);
      }
      return got;
    });
    expect(weft).toEqual(["hello", "hello", "hello"]);
    expect(envoy).toEqual(weft);
  });

  test("asks for what it is told to", async () => {
    const { weft } = await both.each(({ ports }) => talk(ports, "headers", "hello"));
    expect(weft.heads).toEqual([
      "CONNECT 127.0.0.1:7 HTTP/1.1\r\nhost: 127.0.0.1:7\r\nx-from: 127.0.0.1\r\nx-a: 1\r\nx-a: 2",
    ]);
  });

  test("keeps a large message whole, both ways", async () => {
    const send = "x".repeat(300_000);
    const { weft, envoy } = await both.each(async ({ ports }) => {
      const lengths: number[] = [];
      for (const name of ["granted", "post"] as const) {
        const to = { port: ports[name], host: "127.0.0.1" };
        const { got } = await converse({ to, send: `${send}.`, enough: "." });
        lengths.push(got.length);
      }
      return lengths;
    });
    expect(weft).toEqual([300_001, 300_001]);
    expect(envoy).toEqual(weft);
  });
});
