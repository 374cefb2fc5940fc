import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { BothPlanes, converse, type Plane } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";

const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const FORMAT =
  "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% %UPSTREAM_PROTOCOL% " +
  "%BYTES_RECEIVED% %BYTES_SENT% %REQ(:METHOD)% %REQ(:AUTHORITY)% %REQ(:PATH)% %PROTOCOL%\n";

const ALLOWED = { upgrade_configs: [{ upgrade_type: "CONNECT" }] };
const TERMINATED = { upgrade_configs: [{ upgrade_type: "connect", connect_config: {} }] };

function route(cluster: string, action: object = {}, more: object = {}): object {
  return { match: { connect_matcher: {} }, route: { cluster, ...action }, ...more };
}

/** The upstream is told who the client is. */
function announced(version: string): object {
  const connectConfig = { proxy_protocol_config: { version } };
  return { upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: connectConfig }] };
}

/** A POST is taken for a CONNECT. */
function posted(cluster: string, connectConfig: object = {}): object {
  const config = { allow_post: true, ...connectConfig };
  return {
    match: { prefix: "/" },
    route: { cluster, upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: config }] },
  };
}

function table(...routes: readonly object[]): object {
  return { ...ALLOWED, route_config: routeTable(routes) };
}

const idle = { stream_idle_timeout: "0.3s" };
const age = { max_stream_duration: { max_stream_duration: "0.3s" } };
const retry = { retry_policy: { retry_on: "connect-failure", num_retries: 3 } };

/** What the connection manager of each listener is. */
export const LISTENERS = {
  echo: table(route("echo", TERMINATED)),
  says: table(route("says", TERMINATED)),
  resets: table(route("resets", TERMINATED)),
  refused: table(route("refused", TERMINATED)),
  none: table(route("none", TERMINATED)),
  nowhere: table(route("nowhere", TERMINATED)),
  full: table(route("full", TERMINATED)),
  idle: { ...table(route("echo", TERMINATED)), ...idle },
  age: table(route("echo", { ...TERMINATED, ...age })),
  retry: table(route("mixed", { ...TERMINATED, ...retry })),
  forward: table(route("http")),
  forwardIdle: { ...table(route("http")), ...idle },
  forwardRefused: table(route("refused")),
  headers: table(
    route(
      "http",
      { host_rewrite_literal: "granted.test:1" },
      {
        request_headers_to_add: [{ header: { key: "x-a", value: "1" } }],
        response_headers_to_add: [{ header: { key: "x-b", value: "%REQ(:AUTHORITY)%" } }],
      },
    ),
  ),
  rewritten: table(route("http", { prefix_rewrite: "/x" })),
  notAllowed: { route_config: routeTable([route("echo")]) },
  ofRoute: { route_config: routeTable([route("echo", TERMINATED)]) },
  disabled: table(
    route("echo", { upgrade_configs: [{ upgrade_type: "CONNECT", enabled: false }] }),
  ),
  prefix: table({ match: { prefix: "/" }, route: { cluster: "http" } }),
  empty: table({ match: { prefix: "" }, route: { cluster: "http" } }),
  direct: table({
    match: { connect_matcher: {} },
    direct_response: { status: 200, body: { inline_string: "d" } },
  }),
  proxyV1: table(route("echo", announced("V1"))),
  proxyV2: table(route("echo", announced("V2"))),
  redirect: table({ match: { connect_matcher: {} }, redirect: { host_redirect: "b.test" } }),
  both: table(route("echo", TERMINATED), { match: { prefix: "/" }, route: { cluster: "http" } }),
  post: table(posted("echo")),
  postSays: table(posted("says")),
  postResets: table(posted("resets")),
  postRefused: table(posted("refused")),
  postProxy: table(posted("echo", { proxy_protocol_config: { version: "V1" } })),
  http10: {
    ...table(route("echo", TERMINATED)),
    http_protocol_options: { accept_http_10: true, default_host_for_http_10: "d.test" },
  },
  hosts: {
    ...ALLOWED,
    route_config: {
      virtual_hosts: [
        { name: "port", domains: ["a.test:443"], routes: [route("echo", TERMINATED)] },
        { name: "none", domains: ["b.test"], routes: [route("echo", TERMINATED)] },
      ],
    },
  },
} as const;

/** A listener, by its name. */
export type Name = keyof typeof LISTENERS;
const NAMES = Object.keys(LISTENERS) as Name[];

const OK = "HTTP/1.1 200 OK\r\n";
/** What the HTTP upstream answers to a CONNECT, by the host that it is for. */
const ANSWERS: Readonly<Record<string, string>> = {
  granted: `${OK}\r\ntunnel`,
  length: `${OK}Content-Length: 6\r\n\r\ntunnel`,
  nothing: `${OK}Content-Length: 0\r\n\r\ntunnel`,
  chunked: `${OK}Transfer-Encoding: chunked\r\n\r\n6\r\ntunnel\r\n0\r\n\r\n`,
  created: "HTTP/1.1 201 Created\r\n\r\ntunnel",
  noContent: "HTTP/1.1 204 No Content\r\n\r\ntunnel",
  interim: `HTTP/1.1 100 Continue\r\n\r\n${OK}\r\ntunnel`,
  refuses: "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
  fails: "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno",
  redirects: "HTTP/1.1 302 Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
  switches: "HTTP/1.1 101 Switching Protocols\r\n\r\n",
  ends: `${OK}\r\ntunnel`,
  garbage: "SSH-2.0-x\r\n\r\n",
};

/** Bytes to one listener, and when the client has seen enough of a tunnel that stays open. */
export interface ConnectCase {
  readonly name: string;
  readonly listener: Name;
  /** Latin-1. */
  readonly send: string | readonly string[];
  readonly enough?: string;
}

/** What came of a case at all three ends. */
export interface ConnectOutcome {
  readonly got: string;
  readonly end: string;
  /** All that upstreams of any kind were sent. */
  readonly upstream: string;
  readonly log: string;
}

/** Upstreams, weft and Envoy, with a listener for each configuration. */
export class ConnectPlanes {
  readonly both = new BothPlanes<Name>();
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #folder = mkdtempSync(join(tmpdir(), "weft-connect-"));
  #seen = "";

  /** Open connections at all upstreams. */
  get open(): number {
    return this.#sockets.size;
  }

  async start(): Promise<void> {
    const echo = await this.serve((socket) => socket.on("data", (bytes) => socket.write(bytes)));
    const says = await this.serve((socket) => socket.end("hello"));
    const resets = await this.serve((socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    });
    const http = await this.serve((socket) => answer(socket));
    const [refused = 0] = await freePorts(1);
    const breaker = { thresholds: [{ max_pending_requests: 0 }] };
    await this.both.start(NAMES, (ports) => ({
      admin: { address: socketAddress(ports.admin) },
      static_resources: {
        listeners: NAMES.map((name) =>
          httpListener(name, ports[name], {
            delayed_close_timeout: "0.02s",
            ...LISTENERS[name],
            access_log: [this.#logOf(ports.admin, name)],
          }),
        ),
        clusters: [
          staticCluster("echo", [echo]),
          staticCluster("says", [says]),
          staticCluster("resets", [resets]),
          staticCluster("http", [http]),
          staticCluster("refused", [refused]),
          staticCluster("mixed", [refused, echo]),
          staticCluster("none", []),
          staticCluster("full", [echo], { circuit_breakers: breaker }),
        ],
      },
    }));
  }

  /** Listens on a port of its own. */
  async serve(onSocket: (socket: Socket) => void): Promise<number> {
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.on("data", (bytes: Buffer) => {
        if (this.#seen.length < 100_000) this.#seen += bytes.toString("latin1");
      });
      onSocket(socket);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Runs them one after the other, and reads the logs when all are over. */
  async run(plane: Plane<Name>, cases: readonly ConnectCase[]): Promise<ConnectOutcome[]> {
    const outcomes: Omit<ConnectOutcome, "log">[] = [];
    for (const { listener, ...speech } of cases) {
      this.#seen = "";
      const { got, end } = await converse({ to: { port: plane.ports[listener] }, ...speech });
      await until(() => this.open === 0, "upstreams to be left");
      outcomes.push({ got: normalize(got), end, upstream: normalize(this.#seen) });
    }
    const logs = new Map<Name, string[]>();
    for (const name of new Set(cases.map((one) => one.listener))) {
      const count = cases.filter((one) => one.listener === name).length;
      logs.set(name, await this.#readLog(plane.ports.admin, name, count));
    }
    return outcomes.map((outcome, at) => {
      const listener = cases[at]?.listener;
      return { ...outcome, log: (listener && logs.get(listener)?.shift()) ?? "" };
    });
  }

  /** Where a breaker is full, Envoy has not chosen a host yet. */
  #readLog(admin: number, name: Name, count: number): Promise<string[]> {
    const path = join(this.#folder, `${admin}-${name}`);
    return until(() => {
      const text = readFileSync(path, "utf8").replace(/(\{overflow\}) \S+/g, "$1 -");
      const lines = text.split("\n").slice(0, -1);
      return lines.length >= count ? lines : undefined;
    }, `${count} entries in the log of ${name}`);
  }

  #logOf(admin: number, name: Name): object {
    const typedConfig = {
      "@type": FILE_LOG,
      path: join(this.#folder, `${admin}-${name}`),
      log_format: { text_format_source: { inline_string: FORMAT } },
    };
    return { name: "log", typed_config: typedConfig };
  }

  async stop(): Promise<void> {
    await this.both.stop();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Answers a CONNECT as its host says; what comes behind is said back. */
function answer(socket: Socket): void {
  let head = "";
  const onHead = (bytes: Buffer): void => {
    head += bytes.toString("latin1");
    if (!head.includes("\r\n\r\n")) return;
    socket.off("data", onHead);
    const host = /^CONNECT (\w+)\./.exec(head)?.[1] ?? "";
    // Whoever sends the bytes behind the head too early has had the time to do so.
    setTimeout(() => socket.write(ANSWERS[host] ?? ""), 30);
    if (host === "ends") setTimeout(() => socket.end(), 60);
    else socket.on("data", (rest) => socket.write(rest));
  };
  socket.on("data", onHead);
}

/** Without what no two runs share, and with the headers of the first head in order. */
function normalize(given: string): string {
  const text = given
    .replace(/^(date|x-request-id|x-envoy-upstream-service-time): .*$/gm, "$1: some")
    // The ports of the client and of the listener.
    .replace(/(PROXY TCP4 \S+ \S+) \d+ \d+/g, "$1 some some")
    .replace(/(QUIT\n[^]{12})[^]{4}/g, "$1some");
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return text;
  const [first, ...headers] = text.substring(0, end).split("\r\n");
  return [first, ...headers.sort()].join("\n") + text.substring(end);
}
