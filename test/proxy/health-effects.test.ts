import type { Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { socketAddress, tcpListener } from "./bootstrap-json.ts";
import { type CheckAnswer, SILENCE, withBody } from "./checked-server.ts";
import {
  ask,
  BAD,
  checkStats,
  closeAll,
  closers,
  checkedCluster as cluster,
  OK,
  serve,
  startCluster,
} from "./health-cluster.ts";
import { healthFlags, linesOf, onBoth, startPlane, statsWith } from "./health-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { TestAuthority } from "./test-pki.ts";
import { upstreamTls } from "./tls-json.ts";
import { caseLog } from "./twins.ts";

afterEach(closeAll);

describe("before a proxy serves", () => {
  test("every fixed host has been checked once, and the bad ones get nothing", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const late: CheckAnswer = (socket: Socket) => setTimeout(() => socket.write(OK), 400);
      const [good, bad] = [await serve(late), await serve(BAD, SILENCE)];
      const plane = await startCluster(name, cluster([good.port, bad.port]));
      const checks = [good.checks.length, bad.checks.length];
      const answers = await ask(plane, 4);
      // The second check of the bad one has begun by now.
      await until(() => bad.checks.length === 2, "the next check");
      return {
        checks: checks[0],
        answers,
        flags: await healthFlags(plane, "up"),
        stats: await checkStats(plane),
      };
    });
    expect(weft).toEqual(envoy);
    expect(weft).toMatchObject({
      checks: 1,
      answers: Array(4).fill("200 hi"),
      flags: ["healthy", "/failed_active_hc"],
      stats: { membership_healthy: 1, membership_excluded: 0, "health_check.attempt": 3 },
    });
  });

  test("hosts that are resolved together begin as well, others as bad", async () => {
    const dns = (type: string, port: number): object => ({
      ...cluster([], { type, name: type, dns_lookup_family: "V4_ONLY" }),
      load_assignment: {
        cluster_name: type,
        endpoints: [
          { lb_endpoints: [{ endpoint: { address: socketAddress(port, "localhost") } }] },
        ],
      },
    });
    const { weft, envoy } = await onBoth(async (name) => {
      const types = ["STRICT_DNS", "LOGICAL_DNS"];
      const servers = [
        await serve({ end: "reset" }, SILENCE),
        await serve({ end: "reset" }, SILENCE),
      ];
      const plane = await startPlane(name, [], () => ({
        static_resources: { clusters: types.map((type, at) => dns(type, servers[at]?.port ?? 0)) },
      }));
      closers.push(() => plane.stop());
      await until(() => servers.every(({ checks }) => checks.length === 2), "the next checks");
      return Promise.all(types.map((type) => healthFlags(plane, type)));
    });
    expect(weft).toEqual(envoy);
  });
});

describe("a host that fails", () => {
  test("loses the connections that are kept to it, and comes back", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      let answer: ((text: string) => void) | undefined;
      const byHand: CheckAnswer = (socket) => {
        answer = (text) => socket.write(text);
      };
      const up = await serve(OK, byHand);
      const timing = { interval: "0.02s", no_traffic_healthy_interval: "0.02s" };
      const plane = await startCluster(name, cluster([up.port], {}, timing));
      const before = await ask(plane);
      await until(() => up.checks.length === 2, "the second check");
      answer?.(BAD);
      await until(() => up.helloEnds === 1, "the kept connection to end");
      const during = await ask(plane);
      await until(() => up.checks.length === 3, "the third check");
      answer?.(OK);
      await until(() => up.checks.length === 4, "the fourth check");
      answer?.(OK);
      await until(() => up.checks.length === 5, "the fifth check");
      const after = await ask(plane);
      const log = await linesOf(join(plane.folder, "access.log"), 3);
      return { before, during, after, log, stats: await checkStats(plane) };
    });
    expect(weft).toEqual(envoy);
    expect(weft).toMatchObject({
      before: ["200 hi"],
      during: ["503 no healthy upstream"],
      after: ["200 hi"],
    });
  });

  test.each([true, false])("loses its TCP connections where asked: %s", async (isAsked) => {
    const { weft, envoy } = await onBoth(async (name) => {
      let answer: ((text: string) => void) | undefined;
      const up = await serve(OK, (socket) => {
        answer = (text) => socket.write(text);
      });
      const options = { close_connections_on_host_health_failure: isAsked };
      const timing = { interval: "0.02s", no_traffic_healthy_interval: "0.02s" };
      const plane = await startPlane(name, ["in"], ({ ports, folder }) => ({
        static_resources: {
          listeners: [
            tcpListener("in", ports["in"] ?? 0, {
              cluster: "up",
              access_log: [caseLog(join(folder, "access.log"))],
            }),
          ],
          clusters: [cluster([up.port], options, timing)],
        },
      }));
      closers.push(() => plane.stop());
      const exchange = exchangeRaw({
        port: plane.ports["in"] ?? 0,
        parts: ["GET /app HTTP/1.1\r\nHost: a\r\n\r\n"],
        answers: 2,
      });
      await until(() => up.hellos === 1 && answer !== undefined, "the second check");
      answer?.(BAD);
      await until(async () => (await healthFlags(plane, "up"))[0] === "/failed_active_hc", "it");
      if (isAsked) await until(() => up.helloEnds === 1, "the connection to end");
      const { helloEnds } = up;
      up.endAll();
      const { messages } = await exchange;
      const log = await linesOf(join(plane.folder, "access.log"), 1);
      const stats = await statsWith(plane, "cluster.up.");
      const names = Object.keys(stats).filter((key) => /upstream_cx_(destroy|active)/.test(key));
      return {
        got: messages.map(({ body }) => body),
        helloEnds,
        log,
        stats: Object.fromEntries(names.map((key) => [key, stats[key]])),
      };
    });
    expect(weft).toEqual(envoy);
    expect(weft).toMatchObject({ helloEnds: isAsked ? 1 : 0 });
  });

  test("says so itself in an ordinary response", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const up = await serve(OK, SILENCE);
      const plane = await startCluster(name, cluster([up.port]));
      const answers = [...(await ask(plane))];
      up.hello = withBody(200, "hi").replace(
        "\r\n",
        "\r\nx-envoy-immediate-health-check-fail: no\r\n",
      );
      const { messages } = await exchangeRaw({
        port: plane.ports["in"] ?? 0,
        parts: ["GET /app HTTP/1.1\r\nHost: a\r\n\r\n"],
        answers: 1,
      });
      const said = messages[0]?.headers.filter((line) => line.startsWith("x-envoy-imm")) ?? [];
      answers.push(...said);
      await until(() => up.helloEnds === 1, "the kept connection to end");
      answers.push(...(await ask(plane)));
      return {
        answers,
        flags: await healthFlags(plane, "up"),
        stats: await checkStats(plane),
      };
    });
    expect(weft).toEqual(envoy);
    expect(weft.answers.at(-1)).toBe("503 no healthy upstream");
    expect(weft.flags).toEqual(["/failed_active_hc/excluded_via_immediate_hc_fail"]);
  });
});

describe("an endpoint", () => {
  test("is checked at another port, at another address, or not at all", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const [app, port, address] = [await serve(BAD), await serve(OK), await serve(OK)];
      const ways = [
        { port_value: port.port },
        { address: socketAddress(address.port) },
        { address: socketAddress(1), port_value: address.port },
        { disable_active_health_check: true },
        {},
      ];
      const endpoints = ways.map((way) => ({
        endpoint: { address: socketAddress(app.port), health_check_config: way },
      }));
      const plane = await startCluster(name, {
        ...cluster([]),
        load_assignment: { cluster_name: "up", endpoints: [{ lb_endpoints: endpoints }] },
      });
      const flags = await healthFlags(plane, "up");
      return { flags: flags.toSorted(), checks: [port.checks.length, address.checks.length] };
    });
    expect(weft).toEqual(envoy);
    expect(weft.flags.filter((flags) => flags === "healthy")).toHaveLength(4);
    expect(weft.checks).toEqual([1, 2]);
  });

  test("is connected to, and no more, where nothing else is asked for", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const up = await serve();
      const refusing = await serve();
      await refusing.stop();
      const plane = await startCluster(
        name,
        cluster(
          [up.port, refusing.port],
          {},
          {
            http_health_check: undefined,
            tcp_health_check: {},
            no_traffic_interval: "60s",
          },
        ),
      );
      await until(() => up.openConnections === 0, "the connection to end");
      return {
        flags: await healthFlags(plane, "up"),
        stats: await checkStats(plane),
        connections: up.connections,
        checks: up.checks,
      };
    });
    expect(weft).toEqual(envoy);
    expect(weft.flags).toEqual(["healthy", "/failed_active_hc"]);
  });

  test("is checked over a transport and with protocols of its own", async () => {
    const ca = await TestAuthority.create();
    const { cert, key } = await ca.issue({ subject: "CN=server" });
    const { weft, envoy } = await onBoth(async (name) => {
      const offers: (string | false | null)[] = [];
      const tls = createTlsServer({ cert, key, ALPNProtocols: ["checks"] }, (socket: TLSSocket) => {
        offers.push(socket.alpnProtocol);
        socket.on("error", () => undefined);
        socket.on("data", () => socket.write(OK));
      });
      await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
      closers.push(() => new Promise((resolve) => tls.close(resolve)));
      const plain = await serve();
      const { port } = tls.address() as { readonly port: number };
      const endpoint = {
        address: socketAddress(plain.port),
        health_check_config: { port_value: port },
      };
      const options = {
        load_assignment: {
          cluster_name: "up",
          endpoints: [{ lb_endpoints: [{ endpoint }] }],
        },
        transport_socket_matches: [
          {
            name: "tls",
            match: { checks: true },
            transport_socket: upstreamTls({ alpn_protocols: ["requests"] }),
          },
        ],
      };
      const plane = await startCluster(
        name,
        cluster([], options, {
          transport_socket_match_criteria: { checks: true },
          tls_options: { alpn_protocols: ["other", "checks"] },
        }),
      );
      const answers = await ask(plane);
      const flags = await healthFlags(plane, "up");
      await plane.stop();
      return { answers, flags, offers };
    });
    expect(weft).toEqual(envoy);
    expect(weft).toEqual({ answers: ["200 hi"], flags: ["healthy"], offers: ["checks"] });
  });
});
