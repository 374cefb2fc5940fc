import type { Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress } from "./bootstrap-json.ts";
import { type CheckAnswer, CheckedServer, response, SILENCE, withBody } from "./checked-server.ts";
import { dynamicBootstrap, edsCluster } from "./dynamic-bootstrap.ts";
import { type HealthPlane, healthFlags, onBoth, startPlane, statsWith } from "./health-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { TestControlPlane } from "./test-control-plane.ts";

const OK = response(200);
const BAD = response(500);

const CHECK = {
  timeout: "60s",
  interval: "0.02s",
  no_traffic_interval: "0.02s",
  unhealthy_threshold: 3,
  healthy_threshold: 2,
  http_health_check: { path: "/check" },
};

/** No panic, and changes count at once. */
const COMMON = { healthy_panic_threshold: { value: 0 }, update_merge_window: "0s" };

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(...answers: readonly CheckAnswer[]): Promise<CheckedServer> {
  const server = await CheckedServer.start(answers);
  closers.push(() => server.stop());
  server.hello = withBody(200, String(server.port));
  return server;
}

/** An endpoint by its port, or with more said of it. */
type Given = number | { readonly port: number; readonly more: object };

/** A proxy whose cluster `up` has the endpoints that a control plane says. */
class DynamicPlane {
  readonly #control = new TestControlPlane();
  #updates = 0;
  #endpoints: readonly Given[] = [];
  plane: HealthPlane | undefined = undefined;

  async start(name: "weft" | "envoy", cluster: object, endpoints: readonly Given[]): Promise<void> {
    const control = this.#control;
    await control.start();
    closers.push(() => control.stop());
    this.setCluster(cluster);
    this.#set(endpoints);
    const {
      dynamic_resources: dynamic,
      node,
      static_resources: fixed,
    } = dynamicBootstrap(control.port);
    const routes = [{ match: { prefix: "/" }, route: { cluster: "up" } }];
    const plane = await startPlane(name, ["in"], ({ ports }) => ({
      node,
      dynamic_resources: { cds_config: dynamic.cds_config, ads_config: dynamic.ads_config },
      static_resources: {
        ...fixed,
        listeners: [httpListener("in", ports["in"] ?? 0, { route_config: routeTable(routes) })],
      },
    }));
    closers.push(() => plane.stop());
    this.plane = plane;
    const serves = async (): Promise<boolean> =>
      ((await this.stats())["membership_total"] ?? 0) === endpoints.length;
    await until(serves, `${name}: the cluster to serve`);
  }

  get running(): HealthPlane {
    if (this.plane === undefined) throw new Error("it was not started");
    return this.plane;
  }

  setCluster(options: object): void {
    const cluster = edsCluster("up", {
      health_checks: [CHECK],
      common_lb_config: COMMON,
      ...options,
    });
    this.#control.set("cluster", { up: cluster });
  }

  removeCluster(): void {
    this.#control.set("cluster", {});
  }

  #set(endpoints: readonly Given[]): void {
    this.#endpoints = endpoints;
    const lbEndpoints = endpoints.map((given) => {
      const { port, more } = typeof given === "number" ? { port: given, more: {} } : given;
      return { endpoint: { address: socketAddress(port), ...more } };
    });
    this.#updates++;
    const endpoint = { cluster_name: "up", endpoints: [{ lb_endpoints: lbEndpoints }] };
    this.#control.set("endpoint", { up: endpoint });
  }

  /** Sends the endpoints again. */
  repeat(): void {
    this.#set(this.#endpoints);
  }

  /** Returns when the proxy has taken them. */
  async assign(endpoints: readonly Given[]): Promise<void> {
    this.#set(endpoints);
    const updates = this.#updates;
    await until(
      async () => ((await this.stats())["update_success"] ?? 0) >= updates,
      `update ${updates}`,
    );
  }

  stats(): Promise<Readonly<Record<string, number>>> {
    return statsWith(this.running, "cluster.up.");
  }

  async membership(): Promise<Readonly<Record<string, number>>> {
    const wanted = /^(?:membership_|health_check\.(?:healthy|degraded))/;
    const all = Object.entries(await this.stats());
    return Object.fromEntries(all.filter(([name]) => wanted.test(name)));
  }

  /** By port, sorted. */
  async flags(): Promise<readonly string[]> {
    return (await healthFlags(this.running, "up")).toSorted();
  }

  /** What so many requests were answered with, each once, sorted. */
  async answers(count = 4): Promise<readonly string[]> {
    const answers = new Set<string>();
    for (let at = 0; at < count; at++) {
      const { messages } = await exchangeRaw({
        port: this.running.ports["in"] ?? 0,
        parts: ["GET /app HTTP/1.1\r\nHost: a\r\n\r\n"],
        answers: 1,
      });
      answers.add(messages[0]?.body ?? "");
    }
    return [...answers].sort();
  }
}

/** A server whose check is answered when the test says so. */
class ByHand {
  server: CheckedServer | undefined = undefined;
  #socket: Socket | undefined = undefined;

  static async start(...before: readonly CheckAnswer[]): Promise<ByHand> {
    const one = new ByHand();
    one.server = await serve(...before, (socket) => {
      one.#socket = socket;
      socket.once("close", () => {
        if (one.#socket === socket) one.#socket = undefined;
      });
    });
    return one;
  }

  get port(): number {
    return this.server?.port ?? 0;
  }

  /** Waits for a check and answers it. */
  async answer(text: string): Promise<void> {
    const socket = await until(() => this.#socket, "a check");
    this.#socket = undefined;
    socket.write(text);
  }
}

/** Ports differ between the two. */
function named(answers: readonly string[], ...servers: readonly { port: number }[]): string[] {
  return answers
    .map((answer) => {
      const at = servers.findIndex(({ port }) => String(port) === answer);
      return at === -1 ? answer : `server ${at}`;
    })
    .sort();
}

describe("a host that discovery drops", () => {
  test("stays while its checks succeed", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const [stays, goes] = [await serve(OK, SILENCE), await ByHand.start(OK)];
      const plane = new DynamicPlane();
      await plane.start(name, {}, [stays.port, goes.port]);
      const seen: unknown[] = [];
      const look = async (): Promise<void> => {
        const answers = named(await plane.answers(), stays, goes);
        seen.push(answers, await plane.flags(), await plane.membership());
      };
      await look();
      await plane.assign([stays.port]);
      await look();
      await plane.assign([stays.port, goes.port]);
      await look();
      await plane.assign([stays.port]);
      await goes.answer(OK);
      await look();
      await goes.answer(BAD);
      const isGone = async (): Promise<boolean> => (await plane.stats())["membership_total"] === 1;
      await until(isGone, "the host to go");
      await look();
      return seen;
    });
    expect(weft).toEqual(envoy);
    expect(weft[4]).toEqual(["/pending_dynamic_removal", "healthy"]);
    expect(weft[7]).toEqual(["healthy", "healthy"]);
    expect(weft[9]).toEqual(["server 0", "server 1"]);
    expect(weft[12]).toEqual(["server 0"]);
  });

  test.each([
    ["goes at once where that is asked for", { ignore_health_on_host_removal: true }, OK],
    ["goes at once when it is bad", {}, BAD],
  ] as const)("%s", async (_name, options, answer) => {
    const { weft, envoy } = await onBoth(async (name) => {
      const [stays, goes] = [await serve(OK, SILENCE), await serve(answer, SILENCE)];
      const plane = new DynamicPlane();
      await plane.start(name, options, [stays.port, goes.port]);
      await plane.assign([stays.port]);
      return [named(await plane.answers(), stays, goes), await plane.membership()];
    });
    expect(weft).toEqual(envoy);
    expect(weft[0]).toEqual(["server 0"]);
  });

  test("goes at once when it was not checked", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const [stays, goes] = [await serve(OK, SILENCE), await serve(OK)];
      const more = { health_check_config: { disable_active_health_check: true } };
      const plane = new DynamicPlane();
      await plane.start(name, {}, [stays.port, { port: goes.port, more }]);
      const before = named(await plane.answers(), stays, goes);
      await plane.assign([stays.port]);
      return [before, named(await plane.answers(), stays, goes), await plane.membership()];
    });
    expect(weft).toEqual(envoy);
    expect(weft.slice(0, 2)).toEqual([["server 0", "server 1"], ["server 0"]]);
  });
});

describe("a host that discovery adds", () => {
  test.each([false, true])(
    "counts when it has been checked, or not at all: %s",
    async (ignores) => {
      const { weft, envoy } = await onBoth(async (name) => {
        const [old, added] = [await serve(OK, SILENCE), await ByHand.start()];
        const common = {
          healthy_panic_threshold: { value: 0 },
          ignore_new_hosts_until_first_hc: ignores,
        };
        const plane = new DynamicPlane();
        await plane.start(name, { common_lb_config: common }, [old.port]);
        await plane.assign([old.port, added.port]);
        const seen: unknown[] = [await plane.flags(), await plane.membership()];
        seen.push(named(await plane.answers(), old, added));
        await added.answer(OK);
        const isWell = async (): Promise<boolean> =>
          (await plane.stats())["membership_healthy"] === 2;
        await until(isWell, `${name}: the host to be well`);
        seen.push(await plane.flags(), await plane.membership());
        // Envoy's threads hear of it one after the other.
        await until(async () => (await plane.answers()).length === 2, "the host to be used");
        return seen;
      });
      expect(weft).toEqual(envoy);
      const pending = ignores ? "/failed_active_hc/pending_active_hc" : "/failed_active_hc";
      expect(weft[0]).toEqual([pending, "healthy"]);
      expect(weft[2]).toEqual(["server 0"]);
    },
  );

  test("stands beside what it was when it is checked elsewhere from now on", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const [app, other] = [await ByHand.start(OK), await ByHand.start()];
      const plane = new DynamicPlane();
      await plane.start(name, {}, [app.port]);
      const more = { health_check_config: { port_value: other.port } };
      await plane.assign([{ port: app.port, more }]);
      const seen: unknown[] = [await plane.flags(), await plane.membership()];
      await other.answer(OK);
      const areWell = async (): Promise<boolean> =>
        (await plane.stats())["membership_healthy"] === 2;
      await until(areWell, `${name}: the host to be well`);
      seen.push(await plane.flags());
      await app.answer(BAD);
      await until(async () => (await plane.flags()).length === 1, `${name}: the first to go`);
      seen.push(await plane.flags(), await plane.membership());
      return seen;
    });
    expect(weft).toEqual(envoy);
    expect(weft[0]).toEqual(["/failed_active_hc", "/pending_dynamic_removal"]);
    expect(weft[3]).toEqual(["healthy"]);
  });

  test("is another one where it is checked no more, or again", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const app = await ByHand.start(BAD);
      const plane = new DynamicPlane();
      await plane.start(name, {}, [app.port]);
      const seen: unknown[] = [await plane.flags()];
      const more = { health_check_config: { disable_active_health_check: true } };
      await plane.assign([{ port: app.port, more }]);
      seen.push(await plane.flags(), await plane.membership());
      await plane.assign([app.port]);
      seen.push(await plane.flags(), await plane.membership());
      await app.answer(OK);
      await until(async () => (await plane.flags())[0] === "healthy", `${name}: it to be well`);
      return seen;
    });
    expect(weft).toEqual(envoy);
    expect(weft[1]).toEqual(["healthy"]);
    expect(weft[3]).toEqual(["/failed_active_hc"]);
  });
});

describe("a cluster that changes", () => {
  test("is replaced when the hosts of the new one have been checked", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const up = await ByHand.start(OK, SILENCE);
      const plane = new DynamicPlane();
      await plane.start(name, {}, [up.port]);
      await until(() => up.server?.checks.length === 2, "the second check");
      plane.setCluster({ connect_timeout: "3s" });
      // Envoy asks for its endpoints once more.
      plane.repeat();
      await until(() => up.server?.checks.length === 3, `${name}: the first check of the new one`);
      const answers = named(await plane.answers(), up);
      const warming = async (): Promise<number | undefined> =>
        (await statsWith(plane.running, "cluster_manager."))["warming_clusters"];
      const during = await warming();
      await up.answer(OK);
      await until(async () => (await warming()) === 0, "the new one to serve");
      return [answers, during, named(await plane.answers(), up), await plane.flags()];
    });
    expect(weft).toEqual(envoy);
    expect(weft).toEqual([["server 0"], 1, ["server 0"], ["healthy"]]);
  });

  test("takes its checks along when it goes", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const up = await serve(OK);
      const plane = new DynamicPlane();
      await plane.start(name, {}, [up.port]);
      await until(() => up.checks.length >= 3, `${name}: some checks`);
      plane.removeCluster();
      await until(() => up.openConnections === 0, `${name}: the connection to end`);
      const { length } = up.checks;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return [up.connections, up.checks.length - length];
    });
    expect(weft).toEqual(envoy);
    expect(weft).toEqual([1, 0]);
  });
});
