import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, tcpListener } from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { assignment, dynamicBootstrap, edsCluster, rds, toCluster } from "./dynamic-bootstrap.ts";
import { TestControlPlane } from "./test-control-plane.ts";

const CHANGES = 100;
const UPGRADE = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const SWITCHED =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/** Says back what it is told, after an upgrade where the first bytes ask for one. */
function echo(socket: Socket): void {
  socket.on("error", () => undefined);
  socket.once("data", (first: Buffer) => {
    socket.write(first.toString("latin1").startsWith("GET ") ? SWITCHED : first);
    socket.on("data", (bytes: Buffer) => socket.write(bytes));
  });
}

/** One connection of a client, and what it has read so far. */
class Talk {
  readonly #socket: Socket;
  #read = "";
  isEnded = false;

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("error", () => undefined);
    this.#socket.on("data", (bytes: Buffer) => {
      this.#read += bytes.toString("latin1");
    });
    this.#socket.on("close", () => {
      this.isEnded = true;
    });
  }

  /** Sends and waits for what comes back. */
  async say(text: string, answer: RegExp): Promise<void> {
    this.#read = "";
    this.#socket.write(text, "latin1");
    await until(() => this.isEnded || answer.test(this.#read), `an answer to ${text}`);
    if (!answer.test(this.#read)) throw new Error(`ended after "${this.#read}"`);
  }

  close(): void {
    this.#socket.destroy();
  }
}

describe("a connection that outlives its configuration", () => {
  let controlPlane: TestControlPlane;
  let upstream: Server;
  let upstreamPort: number;
  let stop: () => Promise<void>;
  let httpPort: number;
  let tcpPort: number;
  const sockets = new Set<Socket>();
  const talks: Talk[] = [];

  beforeEach(async () => {
    upstream = createServer((socket) => {
      sockets.add(socket);
      echo(socket);
    });
    upstream.listen(0, "127.0.0.1");
    await once(upstream, "listening");
    const address = upstream.address();
    upstreamPort = typeof address === "object" && address !== null ? address.port : 0;
    controlPlane = new TestControlPlane();
    await controlPlane.start();
    [httpPort = 0, tcpPort = 0] = await freePorts(2);
    const started = await startWeft(dynamicBootstrap(controlPlane.port));
    stop = () => started.stop();
  });

  afterEach(async () => {
    for (const talk of talks.splice(0)) talk.close();
    await stop();
    controlPlane.stop();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => upstream.close(resolve));
  });

  /** What stays the same in its effect and differs in its bytes. */
  function push(change: number): void {
    const isOdd = change % 2 === 1;
    const others = isOdd ? [upstreamPort, 1] : [upstreamPort];
    const connectTimeout = { connect_timeout: isOdd ? "3s" : "4s" };
    const manager = {
      ...rds("r"),
      upgrade_configs: [{ upgrade_type: "websocket" }],
      server_name: `weft-${Math.floor(change / 4)}`,
    };
    const direct = { match: { prefix: `/${change}` }, direct_response: { status: 418 } };
    controlPlane.set("cluster", { a: { ...edsCluster("a"), ...connectTimeout } });
    controlPlane.set("endpoint", { a: assignment("a", others) });
    controlPlane.set("listener", {
      in: httpListener("in", httpPort, manager),
      raw: tcpListener("raw", tcpPort, { cluster: "a", idle_timeout: `${3600 + change}s` }),
    });
    controlPlane.set("route", { r: { ...routeTable([direct, toCluster("a")]), name: "r" } });
  }

  test("keeps WebSockets and TCP through 100 changes of everything", async () => {
    push(0);
    const open = async (port: number, first: string, answer: RegExp): Promise<Talk> => {
      for (;;) {
        const talk = new Talk(port);
        talks.push(talk);
        await talk.say(first, answer).catch(() => undefined);
        if (!talk.isEnded) return talk;
      }
    };
    const web = await open(httpPort, UPGRADE, /101 Switching/);
    const raw = await open(tcpPort, "hello", /hello/);
    for (let change = 1; change <= CHANGES; change++) {
      push(change);
      if (change % 10 !== 0) continue;
      await web.say(`web ${change};`, new RegExp(`web ${change};`));
      await raw.say(`raw ${change};`, new RegExp(`raw ${change};`));
    }
    expect(controlPlane.requests.filter(({ errorDetail }) => errorDetail)).toEqual([]);
    await web.say("last", /last/);
    await raw.say("last", /last/);
  });
});
