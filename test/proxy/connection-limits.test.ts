import { readFileSync } from "node:fs";
import { type ClientRequest, request } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { startBlackHole } from "./black-hole.ts";
import {
  filter,
  httpListener,
  listenerOf,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import { destroy } from "./both-planes.ts";
import {
  type Asked,
  LIMIT_CASES,
  type LimitCase,
  type LimitSide,
  type Talk,
} from "./connection-limit-cases.ts";
import { freePorts } from "./data-plane.ts";
import { HoldingUpstream } from "./holding-upstream.ts";
import { caseLog, statsOf, type Twin, Twins } from "./twins.ts";

const TCP_CASES = LIMIT_CASES.filter(({ isTcp }) => isTcp === true);
const closers: (() => unknown)[] = [];
const echoSockets = new Set<Socket>();
let up: HoldingUpstream;
let twins: Twins;

beforeAll(async () => {
  up = await HoldingUpstream.start();
  closers.push(() => up.stop());
  const hangs = await startBlackHole(closers);
  const echo = await startEcho();
  const [refuses = 0] = await freePorts(1);
  const portOf = { up: up.port, hangs, refuses, echo };
  const clusters = LIMIT_CASES.map(({ name, hosts, cluster }) =>
    staticCluster(
      name,
      hosts.map((host) => portOf[host]),
      cluster,
    ),
  );
  twins = await Twins.start(["http", ...TCP_CASES.map(({ name }) => name)], (places) => ({
    admin: { address: socketAddress(places.adminPort) },
    static_resources: {
      listeners: [
        httpListener("http", places.ports["http"] ?? 0, {
          access_log: [caseLog(places.logPath)],
          route_config: routeTable(LIMIT_CASES.map(routeOf)),
        }),
        ...TCP_CASES.map((one) => tcpListenerOf(one, places.ports[one.name] ?? 0, places.logPath)),
      ],
      clusters,
    },
  }));
});

afterAll(async () => {
  await twins.stop();
  for (const close of closers.splice(0).reverse()) await close();
});

async function startEcho(): Promise<number> {
  const server: Server = createServer((socket) => {
    echoSockets.add(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const socket of echoSockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function routeOf({ name, route }: LimitCase): object {
  return {
    match: { prefix: "/", headers: [{ name: "x-case", string_match: { exact: name } }] },
    route: { cluster: name, timeout: "10s", ...route },
  };
}

function tcpListenerOf({ name, tcp }: LimitCase, port: number, path: string): object {
  const log = {
    name: "log",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
      path,
      log_format: { text_format_source: { inline_string: `${name} %RESPONSE_FLAGS%\n` } },
    },
  };
  const options = { stat_prefix: name, cluster: name, access_log: [log], ...tcp };
  return listenerOf(name, port, [filter("network.tcp_proxy.v3.TcpProxy", options)]);
}

function sendRequest(port: number, path: string, name: string): { sent: ClientRequest } & Asked {
  const headers = { "x-case": name };
  const sent = request({ host: "127.0.0.1", port, path, headers, agent: false });
  const answer = new Promise<string>((resolve) => {
    sent.on("error", () => resolve("gone"));
    sent.on("response", (response) => {
      const mark = response.headers["x-envoy-overloaded"] === "true" ? "!" : "";
      response.on("error", () => resolve("gone"));
      response.on("end", () => resolve(`${response.statusCode}${mark}`));
      response.resume();
    });
  });
  sent.end();
  return { sent, answer, leave: () => sent.destroy() };
}

function startTalk(port: number): { socket: Socket } & Talk {
  const socket = connect(port, "127.0.0.1");
  let got = "";
  let isClosed = false;
  socket.on("data", (bytes: Buffer) => {
    got += bytes.toString();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    isClosed = true;
  });
  socket.write("hello");
  return {
    socket,
    answer: async () => {
      await until(() => isClosed || got === "hello", "an echo");
      return isClosed ? "closed" : got;
    },
    isWaiting: () => !isClosed && got === "",
    leave: () => destroy(socket),
  };
}

/** What a case may do at one of the twins. */
function sideOf(twin: Twin, { name }: LimitCase): LimitSide & { close(): Promise<void> } {
  const open: (ClientRequest | Socket)[] = [];
  const prefix = `cluster.${name}.`;
  const statOf = async (stat: string): Promise<number> =>
    (await statsOf(twin, prefix))[prefix + stat] ?? 0;
  return {
    up,
    get: (path = "/") => {
      const asked = sendRequest(twin.ports["http"] ?? 0, path, name);
      open.push(asked.sent);
      return asked;
    },
    talk: () => {
      const talk = startTalk(twin.ports[name] ?? 0);
      open.push(talk.socket);
      return talk;
    },
    stat: async (stat, value) => {
      await until(async () => (await statOf(stat)) === value, `${name}: ${stat} to be ${value}`);
      // The proxy counts a request before the upstream has it.
      if (stat === "upstream_rq_active") await until(() => up.held >= value, "the upstream");
    },
    counted: async (names) => {
      const all = await statsOf(twin, prefix);
      return names.map((stat) => all[prefix + stat] ?? 0);
    },
    close: async () => {
      for (const one of open) one.destroy();
      up.release();
      await until(async () => (await statOf("upstream_rq_active")) === 0, "requests to end");
    },
  };
}

/** What the log says of a case; sorted, as requests may end in any order. */
async function logOf({ logPath }: Twin, name: string, lines: number): Promise<readonly string[]> {
  return until(() => {
    const all = readFileSync(logPath, "utf8").split("\n");
    const own = all.filter((line) => line.startsWith(`${name} `));
    return own.length >= lines
      ? own.map((line) => line.slice(name.length + 1).trim()).sort()
      : undefined;
  }, `the log of ${name}`);
}

test.each(LIMIT_CASES)("$name", async (one) => {
  const seen = [];
  for (const twin of twins.all) {
    const side = sideOf(twin, one);
    try {
      seen.push(await one.run(side));
    } finally {
      await side.close();
    }
    expect(await logOf(twin, one.name, one.log.length)).toEqual(one.log);
  }
  for (const outcome of seen.reverse()) expect(outcome).toEqual(one.expected);
});
