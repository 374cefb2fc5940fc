import { EventEmitter, once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiscoveryResponseSchema } from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { SimClock } from "../../src/base/sim-clock.ts";
import type { Proxy, ProxyDeps } from "../../src/proxy/proxy.ts";
import { type Logger, silentLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, staticCluster } from "./bootstrap-json.ts";
import { freePorts, startWeft } from "./data-plane.ts";
import { assignment, dynamicBootstrap, edsCluster, rds, toCluster } from "./dynamic-bootstrap.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import { TestControlPlane } from "./test-control-plane.ts";

/** The longest wait between two streams; `RECONNECT` of the client. */
const WAIT_MS_MAX = 10_000;

/** A logger that keeps how long each wait for the control plane was to be. */
function waitsLogger(waits: number[], onWait: () => unknown = () => undefined): Logger {
  return {
    ...silentLogger,
    warn: (_message, fields) => {
      const waitMs = fields?.["retryInMs"];
      if (typeof waitMs !== "number") return;
      waits.push(waitMs);
      onWait();
    },
  };
}

/** Something on a port that is no control plane: does to each connection what it is told. */
class Mischief {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  connections = 0;

  constructor(act: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.resume();
      socket.on("close", () => this.#sockets.delete(socket));
      act(socket);
    });
  }

  get open(): number {
    return this.#sockets.size;
  }

  async start(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe("a control plane that errs", () => {
  let controlPlane: TestControlPlane;
  let proxy: Proxy;
  let stop: () => Promise<void>;
  let one: ScriptedUpstream;
  let two: ScriptedUpstream;
  let port: number;
  let adsPort: number;

  beforeEach(async () => {
    const says = (text: string): string =>
      `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
    one = await ScriptedUpstream.start({ "/": { send: says("one") } });
    two = await ScriptedUpstream.start({ "/": { send: says("two") } });
    controlPlane = new TestControlPlane();
    stop = async () => undefined;
    [port = 0, adsPort = 0] = await freePorts(2);
  });

  afterEach(async () => {
    await stop();
    controlPlane.stop();
    await one.stop();
    await two.stop();
  });

  async function startProxy(deps: Partial<ProxyDeps> = {}): Promise<void> {
    const started = await startWeft(dynamicBootstrap(adsPort), deps);
    proxy = started.proxy;
    stop = () => started.stop();
  }

  async function body(): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    return `${answer.status} ${await answer.text()}`;
  }

  function whenAnswered(text: string): Promise<true | undefined> {
    return until(async () => {
      return (await body().catch(() => "")) === text ? true : undefined;
    }, `the answer "${text}"`);
  }

  function give(upstream: ScriptedUpstream): void {
    controlPlane.set("cluster", { a: edsCluster("a") });
    controlPlane.set("endpoint", { a: assignment("a", [upstream.port]) });
    controlPlane.set("listener", { in: httpListener("in", port, rds("r")) });
    controlPlane.set("route", { r: { ...routeTable([toCluster("a")]), name: "r" } });
  }

  async function serve(deps: Partial<ProxyDeps> = {}): Promise<void> {
    await controlPlane.start(adsPort);
    give(one);
    await startProxy(deps);
    await whenAnswered("200 one");
  }

  /** A new control plane at the place of the old one. */
  async function comeBack(upstream: ScriptedUpstream): Promise<void> {
    controlPlane = new TestControlPlane();
    give(upstream);
    await controlPlane.start(adsPort);
  }

  test("is away for an hour: requests go on, waits stay short, the next config is taken", async () => {
    const clock = new SimClock();
    const waits: number[] = [];
    const attempts = new EventEmitter();
    const answers = new Set<string>();
    const log = waitsLogger(waits, () => attempts.emit("failed"));
    await serve({ clock, log, prng: { next: () => 0.999 } });
    controlPlane.stop();
    await once(attempts, "failed");
    while (clock.monotonicMs() < 3_600_000) {
      const failed = once(attempts, "failed");
      await clock.advance(waits.at(-1) ?? 0);
      await failed;
      if (waits.length % 50 === 0) answers.add(await body());
    }
    expect(answers).toEqual(new Set(["200 one"]));
    expect(Math.max(...waits)).toBeLessThanOrEqual(WAIT_MS_MAX);
    expect(waits.length).toBeGreaterThan(3_600_000 / WAIT_MS_MAX);
    expect(waits.length).toBeLessThan(400);
    expect(proxy.state).toBe("LIVE");
    await comeBack(two);
    await clock.advance(WAIT_MS_MAX);
    await whenAnswered("200 two");
  });

  test("never answers: the proxy is ready after Envoy's 15 s for clusters and for listeners", async () => {
    const mischief = new Mischief(() => undefined);
    await mischief.start(adsPort);
    const clock = new SimClock();
    await startProxy({ clock });
    await clock.advance(29_999);
    expect(proxy.state).toBe("PRE_INITIALIZING");
    await clock.advance(1);
    expect(proxy.state).toBe("LIVE");
    await mischief.stop();
    await comeBack(one);
    const answer = await until(async () => {
      await clock.advance(WAIT_MS_MAX);
      const text = await body().catch(() => "");
      return text === "200 one" && text;
    }, "the answer");
    expect(answer).toBe("200 one");
  });

  test.each([
    ["accepts and says nothing", () => undefined, 1],
    ["sends what is no HTTP/2", (socket: Socket) => socket.write("\x00\xff garbage\r\n\r\n"), 3],
    ["resets every connection", (socket: Socket) => socket.resetAndDestroy(), 3],
    ["closes every connection", (socket: Socket) => socket.end(), 3],
  ] as const)("%s: what is held serves on", async (_what, act, connections) => {
    const waits: number[] = [];
    await serve({ log: waitsLogger(waits), prng: { next: () => 0.1 } });
    controlPlane.stop();
    const mischief = new Mischief(act);
    await mischief.start(adsPort);
    await until(() => mischief.connections >= connections, "connections");
    expect(mischief.open).toBeLessThanOrEqual(1);
    expect(await body()).toBe("200 one");
    expect(Math.max(...waits)).toBeLessThanOrEqual(WAIT_MS_MAX);
    await mischief.stop();
    await comeBack(two);
    await whenAnswered("200 two");
  });

  test("sends bytes that are no message: the stream is made anew", async () => {
    await serve();
    const before = controlPlane.requests.length;
    controlPlane.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    // The first request of a stream names the node.
    await until(
      () => controlPlane.requests.slice(before).some(({ node }) => node?.id === "n"),
      "a new stream",
    );
    give(two);
    expect(await whenAnswered("200 two")).toBe(true);
  });

  test("says everything twice: each is acknowledged, nothing begins anew", async () => {
    await serve();
    const connections = one.connections;
    for (const kind of ["cluster", "endpoint", "listener", "route"] as const) {
      const before = controlPlane.requests.length;
      controlPlane.repeat(kind);
      const answer = await until(
        () => controlPlane.requests.slice(before).find((one) => one.versionInfo !== ""),
        "the answer",
      );
      expect(answer.typeUrl).toBe(RESOURCE_TYPE_URL[kind]);
      expect(answer.errorDetail).toBeUndefined();
      expect(await body()).toBe("200 one");
    }
    expect(one.connections).toBe(connections);
  });

  test("sends a type that nobody asked for: it is passed over", async () => {
    await serve();
    const typeUrl = "type.googleapis.com/envoy.config.nothing.v9.Nothing";
    controlPlane.write(create(DiscoveryResponseSchema, { typeUrl, versionInfo: "9", nonce: "x" }));
    give(two);
    await whenAnswered("200 two");
    expect(controlPlane.requests.filter((one) => one.typeUrl === typeUrl)).toEqual([]);
  });

  test("sends a response under a nonce of another: the nonce comes back as it was", async () => {
    await serve();
    const typeUrl = RESOURCE_TYPE_URL.cluster;
    controlPlane.write(
      create(DiscoveryResponseSchema, { typeUrl, versionInfo: "odd", nonce: "of another" }),
    );
    const answer = await until(
      () => controlPlane.requests.find((one) => one.responseNonce === "of another"),
      "the answer",
    );
    expect(answer.versionInfo).toBe("odd");
    // That response named no cluster.
    await whenAnswered("503 ");
  });

  test("takes everything away: nothing is served", async () => {
    await serve();
    controlPlane.set("cluster", {});
    await whenAnswered("503 ");
    controlPlane.set("listener", {});
    await until(
      () =>
        body().then(
          () => false,
          () => true,
        ),
      "the listener to go",
    );
    give(two);
    expect(await whenAnswered("200 two")).toBe(true);
  });

  const bad = {
    listener: { in: { name: "in" } },
    cluster: { a: { ...edsCluster("a"), connect_timeout: "-1s" } },
    endpoint: { a: { ...assignment("a", [1]), policy: { overprovisioning_factor: 0 } } },
    route: { r: { name: "r", virtual_hosts: [{ name: "x", domains: [] }] } },
  } as const;

  test.each(["listener", "cluster", "endpoint", "route"] as const)(
    "sends a %s that is wrong: it is refused by name, the old one serves, others are taken",
    async (kind) => {
      await serve();
      const good = {
        listener: { other: httpListener("other", 0, rds("r")) },
        cluster: { other: staticCluster("other", [two.port]) },
        endpoint: {},
        route: {},
      }[kind];
      controlPlane.set(kind, { ...bad[kind], ...good });
      const name = Object.keys(bad[kind])[0] ?? "";
      expect(await controlPlane.refusal(kind, name)).toMatch(new RegExp(`^${name}: `));
      expect(await body()).toBe("200 one");
      const dump = await (await fetch(`http://${proxy.adminAddress}/config_dump`)).text();
      for (const other of Object.keys(good)) expect(dump).toContain(`"${other}"`);
      give(two);
      await whenAnswered("200 two");
    },
  );

  test("sends 5,000 clusters and their endpoints at once: requests go on meanwhile", async () => {
    await serve();
    const names = Array.from({ length: 5000 }, (_, at) => `c${at}`);
    const entries = <T>(make: (name: string) => T): Record<string, T> =>
      Object.fromEntries(["a", ...names].map((name) => [name, make(name)]));
    controlPlane.set(
      "cluster",
      entries((name) => edsCluster(name)),
    );
    controlPlane.set(
      "endpoint",
      entries((name) => assignment(name, [two.port])),
    );
    await whenAnswered("200 two");
    controlPlane.set("route", { r: { ...routeTable([toCluster("c4999")]), name: "r" } });
    controlPlane.set("endpoint", { c4999: assignment("c4999", [one.port]) });
    await whenAnswered("200 one");
    const stats = await (await fetch(`http://${proxy.adminAddress}/stats`)).text();
    expect(stats).toContain("cluster_manager.active_clusters: 5001");
  });

  test("moves an endpoint to and fro under load: every request is answered", async () => {
    await serve();
    const answers: string[] = [];
    let isOver = false;
    const clients = Array.from({ length: 4 }, async () => {
      while (!isOver) answers.push(await body());
    });
    for (let at = 0; at < 100; at++) {
      const before = answers.length;
      controlPlane.set("endpoint", { a: assignment("a", [at % 2 === 0 ? two.port : one.port]) });
      if (at % 10 === 0) await until(() => answers.length > before + 4, "answers");
    }
    controlPlane.set("endpoint", { a: assignment("a", [two.port]) });
    await whenAnswered("200 two");
    isOver = true;
    await Promise.all(clients);
    expect(new Set(answers)).toEqual(new Set(["200 one", "200 two"]));
  });
});
