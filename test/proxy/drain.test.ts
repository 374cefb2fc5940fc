import { Agent, request as httpRequest } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { findProgram } from "../programs.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { http2Target, OpenLoop } from "./open-loop.ts";

const envoyProgram = findProgram("envoy");
const DRAIN_S = 1;
/** Envoy's workers hear of a change a moment after its main thread. */
const SETTLED_MS = 5_000;

type Name = "inbound" | "outbound" | "steady";

interface Plane {
  readonly ports: Readonly<Record<Name | "admin", number>>;
  readonly plane: DataPlane;
}

let started: Plane[] = [];

afterEach(async () => {
  for (const { plane } of started) await plane.stop();
  started = [];
});

function bootstrap(ports: Readonly<Record<Name | "admin", number>>): object {
  const answer = { status: 200, body: { inline_string: "hi" } };
  const route_config = routeTable([{ match: { prefix: "/" }, direct_response: answer }]);
  const listener = (name: Name, more: object): object => ({
    ...httpListener(name, ports[name], { route_config }),
    ...more,
  });
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        listener("inbound", { traffic_direction: "INBOUND" }),
        listener("outbound", { traffic_direction: "OUTBOUND" }),
        listener("steady", { drain_type: "MODIFY_ONLY" }),
      ],
    },
  };
}

/** Starts both; what Envoy does is what weft must do. */
async function start(strategy: "gradual" | "immediate" = "gradual"): Promise<readonly Plane[]> {
  const take = async (): Promise<Plane["ports"]> => {
    const [admin = 0, inbound = 0, outbound = 0, steady = 0] = await freePorts(4);
    return { admin, inbound, outbound, steady };
  };
  const ports = await take();
  const deps = { drainMs: DRAIN_S * 1000, drainStrategy: strategy };
  started.push({ ports, plane: await startWeft(bootstrap(ports), deps) });
  if (envoyProgram === undefined) return started;
  const other = await take();
  const more = ["--drain-time-s", String(DRAIN_S), "--drain-strategy", strategy];
  const envoy = await startEnvoy(envoyProgram, bootstrap(other), other.admin, more);
  started.push({ ports: other, plane: envoy });
  return started;
}

async function post({ ports }: Plane, path: string, method = "POST"): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${ports.admin}${path}`, { method });
  return `${answer.status} ${await answer.text()}`;
}

/** What a request comes to: whether its connection stays, goes, or is not made at all. */
function ask(port: number, agent?: Agent): Promise<"kept" | "closed" | "refused"> {
  return new Promise((resolve) => {
    const own = agent ?? new Agent({ keepAlive: true });
    const request = httpRequest({ host: "127.0.0.1", port, agent: own }, (response) => {
      response.resume();
      response.on("end", () => {
        resolve(response.headers.connection === "close" ? "closed" : "kept");
        if (agent === undefined) own.destroy();
      });
    });
    request.on("error", () => resolve("refused"));
    request.end();
  });
}

async function askAll({ ports }: Plane): Promise<Record<Name, string>> {
  return {
    inbound: await ask(ports.inbound),
    outbound: await ask(ports.outbound),
    steady: await ask(ports.steady),
  };
}

/** Waits until requests come to that; chance has its say while it drains. */
async function becomes(plane: Plane, expected: Record<Name, string>): Promise<void> {
  let seen: object = {};
  const isSo = async (): Promise<boolean> => {
    seen = await askAll(plane);
    return JSON.stringify(seen) === JSON.stringify(expected);
  };
  await until(isSo, "listeners to drain", SETTLED_MS).catch(() => undefined);
  expect(seen).toEqual(expected);
}

async function stat({ ports }: Plane, name: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${ports.admin}/stats?filter=^${name}$`);
  return Number(/: (\d+)/.exec(await answer.text())?.[1]);
}

const KEPT = { inbound: "kept", outbound: "kept", steady: "kept" };

describe("draining, as the admin port asks for it", () => {
  test("ends connections while health checks are to fail", async () => {
    for (const plane of await start()) {
      expect(await askAll(plane)).toEqual(KEPT);
      expect(await post(plane, "/healthcheck/fail")).toBe("200 OK\n");
      await becomes(plane, { inbound: "closed", outbound: "closed", steady: "kept" });
      expect(await post(plane, "/ready", "GET")).toBe("503 DRAINING\n");
      expect(await stat(plane, "server.live")).toBe(0);
      expect(await stat(plane, "http.inbound.downstream_cx_drain_close")).toBeGreaterThan(0);
      expect(await post(plane, "/healthcheck/ok")).toBe("200 OK\n");
      await becomes(plane, KEPT);
      expect(await post(plane, "/ready", "GET")).toBe("200 LIVE\n");
      expect(await post(plane, "/healthcheck/fail", "GET")).toMatch(/^405/);
    }
  });

  test("closes listeners at once, and leaves their connections alone", async () => {
    for (const plane of await start()) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      expect(await ask(plane.ports.inbound, agent)).toBe("kept");
      expect(await post(plane, "/drain_listeners?inboundonly")).toBe("200 OK\n");
      await becomes(plane, { ...KEPT, inbound: "refused" });
      expect(await ask(plane.ports.inbound, agent)).toBe("kept");
      expect(await post(plane, "/listeners", "GET")).toContain("inbound::127.0.0.1");
      expect(await stat(plane, "listener_manager.listener_stopped")).toBe(1);
      expect(await post(plane, "/drain_listeners")).toBe("200 OK\n");
      await becomes(plane, { inbound: "refused", outbound: "refused", steady: "refused" });
      expect(await post(plane, "/ready", "GET")).toBe("200 LIVE\n");
      agent.destroy();
    }
  });

  test("gracefully: connections end, then listeners close", async () => {
    for (const plane of await start("immediate")) {
      expect(await post(plane, "/drain_listeners?graceful&inboundonly")).toBe("200 OK\n");
      await becomes(plane, { ...KEPT, inbound: "closed" });
      await becomes(plane, { ...KEPT, inbound: "refused" });
    }
  });

  test("without an end: connections end, and new ones are taken", async () => {
    for (const plane of await start()) {
      expect(await post(plane, "/drain_listeners?skip_exit")).toBe("200 OK\n");
      const all = { inbound: "closed", outbound: "closed", steady: "closed" };
      await becomes(plane, all);
      await new Promise((resolve) => setTimeout(resolve, DRAIN_S * 1000));
      expect(await askAll(plane)).toEqual(all);
      expect(await post(plane, "/drain_listeners", "GET")).toMatch(/^405/);
    }
  });

  test("loses no stream of HTTP/2 that comes meanwhile", { timeout: 90_000 }, async () => {
    for (const plane of await start("immediate")) {
      const target = http2Target(`http://127.0.0.1:${plane.ports.outbound}`);
      const load = new OpenLoop(target, 200);
      const some = async (): Promise<void> => {
        const enough = load.sent + 100;
        await until(() => load.sent >= enough, "more requests", 30_000);
      };
      try {
        await some();
        expect(await post(plane, "/drain_listeners?graceful&skip_exit")).toBe("200 OK\n");
        await some();
        expect(await post(plane, "/healthcheck/fail")).toBe("200 OK\n");
        await some();
      } finally {
        await load.stop();
      }
      const { failures } = await load.stop();
      expect({ failures }).toEqual({ failures: {} });
      // Each connection is told to go; the next one is taken.
      expect(await stat(plane, "http.outbound.downstream_cx_total")).toBeGreaterThan(1);
    }
  });
});
