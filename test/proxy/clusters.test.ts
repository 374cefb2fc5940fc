import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { staticCluster } from "./bootstrap-json.ts";
import { destroy } from "./both-planes.ts";
import {
  awaitStat,
  closeAll,
  closers,
  get,
  send,
  startPlanes,
  startUpstream,
  stats,
} from "./cluster-planes.ts";
import { exchangeRaw } from "./raw-exchange.ts";

afterEach(closeAll);

const OVERFLOW =
  "503! upstream connect error or disconnect/reset before headers. reset reason: overflow";

describe("circuit breakers", () => {
  test("bound the requests that wait for a connection", async () => {
    const up = await startUpstream();
    const thresholds = [{ max_pending_requests: 0 }];
    const both = await startPlanes(
      staticCluster("up", [up.port], { circuit_breakers: { thresholds } }),
    );
    const seen = await both.each(async (plane) => ({
      answer: await get(plane),
      stats: await stats(plane, [
        "upstream_rq_pending_overflow",
        "upstream_rq_pending_total",
        "upstream_rq_total",
      ]),
    }));
    expect(seen.weft).toEqual({ answer: OVERFLOW, stats: [1, 0, 0] });
    expect(seen.weft).toEqual(seen.envoy);
  });

  test("bound the requests in flight", async () => {
    const up = await startUpstream({ "/slow": {} });
    const thresholds = [{ max_requests: 1, track_remaining: true }];
    const both = await startPlanes(
      staticCluster("up", [up.port], { circuit_breakers: { thresholds } }),
    );
    const seen = await both.each(async (plane) => {
      const names = ["upstream_rq_active", "upstream_rq_total", "upstream_rq_pending_overflow"];
      const more = ["upstream_rq_active_overflow", "circuit_breakers.default.remaining_rq"];
      const slow = send(plane, "/slow");
      await awaitStat(plane, "upstream_rq_active", 1);
      const answer = await get(plane);
      const during = await stats(plane, [...names, ...more, "circuit_breakers.default.rq_open"]);
      await destroy(slow);
      await awaitStat(plane, "upstream_rq_active", 0);
      return { answer, during, after: await get(plane) };
    });
    expect(seen.weft).toEqual(seen.envoy);
    expect(seen.weft.answer).toBe(OVERFLOW);
    expect(seen.weft.after).toBe("200 hi");
  });

  test("bound connections, of the cluster and of each host", async () => {
    const up = await startUpstream({ "/slow": {} });
    for (const breakers of [
      { thresholds: [{ max_connections: 1, max_pending_requests: 1, track_remaining: true }] },
      {
        thresholds: [{ max_pending_requests: 1 }],
        per_host_thresholds: [{ max_connections: 1 }],
      },
    ]) {
      const both = await startPlanes(
        staticCluster("up", [up.port], { circuit_breakers: breakers }),
      );
      const seen = await both.each(async (plane) => {
        const slow = send(plane, "/slow");
        await awaitStat(plane, "upstream_rq_active", 1);
        const waiting = send(plane, "/");
        await awaitStat(plane, "upstream_rq_pending_active", 1);
        const answer = await get(plane);
        const names = ["upstream_cx_active", "upstream_cx_overflow", "upstream_rq_pending_total"];
        const during = await stats(plane, [...names, "circuit_breakers.default.cx_open"]);
        await destroy(slow);
        await awaitStat(plane, "upstream_rq_total", 2);
        await destroy(waiting);
        return { answer, during };
      });
      expect(seen.weft).toEqual(seen.envoy);
      expect(seen.weft.answer).toBe(OVERFLOW);
    }
  });
});

describe("circuit breakers of high priority", () => {
  test("are the others' business", async () => {
    const up = await startUpstream();
    const thresholds = [{ priority: "HIGH", max_pending_requests: 0 }, { max_retries: 0 }];
    const cluster = staticCluster("up", [up.port], { circuit_breakers: { thresholds } });
    const seen = [];
    for (const priority of ["DEFAULT", "HIGH"]) {
      const both = await startPlanes(cluster, { priority });
      seen.push(await both.each((plane) => get(plane)));
    }
    expect(seen[0]).toEqual({ weft: "200 hi", envoy: "200 hi" });
    expect(seen[1]).toEqual({ weft: OVERFLOW, envoy: OVERFLOW });
  });
});

describe("retries", () => {
  const BAD = "HTTP/1.1 500 Bad\r\nContent-Length: 0\r\n\r\n";

  test.each([
    ["a number", { max_retries: 0 }],
    ["a budget", { retry_budget: { budget_percent: { value: 0 }, min_retry_concurrency: 0 } }],
  ])("are bound by %s", async (_what, limits) => {
    const up = await startUpstream({ "/": { send: BAD } });
    const cluster = staticCluster("up", [up.port], { circuit_breakers: { thresholds: [limits] } });
    const both = await startPlanes(cluster, { retry_policy: { retry_on: "5xx" } });
    const seen = await both.each(async (plane) => {
      const answer = await get(plane);
      const names = ["upstream_rq_retry", "upstream_rq_retry_overflow", "upstream_rq_total"];
      return { answer, stats: await stats(plane, names) };
    });
    expect(seen.weft).toEqual({ answer: "500 ", stats: [0, 1, 1] });
    expect(seen.weft).toEqual(seen.envoy);
  });

  test("may be a share of what is in flight", async () => {
    const up = await startUpstream({ "/": { send: BAD }, "/slow": {} });
    const retryBudget = { budget_percent: { value: 100 }, min_retry_concurrency: 0 };
    const thresholds = [{ retry_budget: retryBudget, track_remaining: true }];
    const cluster = staticCluster("up", [up.port], { circuit_breakers: { thresholds } });
    const both = await startPlanes(cluster, { retry_policy: { retry_on: "5xx" } });
    const seen = await both.each(async (plane) => {
      const slow = send(plane, "/slow");
      await awaitStat(plane, "upstream_rq_active", 1);
      await get(plane);
      const names = ["upstream_rq_retry", "upstream_rq_retry_overflow"];
      const after = await stats(plane, names);
      await destroy(slow);
      return after;
    });
    expect(seen.weft).toEqual([1, 0]);
    expect(seen.weft).toEqual(seen.envoy);
  });
});

describe("connections to a host", () => {
  test("that cannot be made fail everybody who waits for them", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    await new Promise((resolve) => server.close(resolve));
    const both = await startPlanes(staticCluster("up", [port]));
    const seen = await both.each(async (plane) => ({
      answer: await get(plane),
      stats: await stats(plane, [
        "upstream_cx_connect_fail",
        "upstream_cx_total",
        "upstream_cx_active",
        "upstream_rq_pending_failure_eject",
        "upstream_rq_pending_active",
        "upstream_rq_total",
      ]),
    }));
    expect(seen.weft).toEqual(seen.envoy);
    expect(seen.weft.answer).toContain("503 upstream connect error");
  });

  test("go when nobody needed them for a while, or after so many requests, or so long", async () => {
    const up = await startUpstream();
    const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    const cases: readonly (readonly [options: object, stat: string])[] = [
      [{ idle_timeout: "0.1s" }, "upstream_cx_idle_timeout"],
      [{ max_connection_duration: "0.1s" }, "upstream_cx_max_duration_reached"],
      [{ max_requests_per_connection: 1 }, "upstream_cx_max_requests"],
    ];
    for (const [common, stat] of cases) {
      const options = {
        "@type": `type.googleapis.com/${name}`,
        explicit_http_config: { http_protocol_options: {} },
        common_http_protocol_options: common,
      };
      const both = await startPlanes(
        staticCluster("up", [up.port], { typed_extension_protocol_options: { [name]: options } }),
      );
      const seen = await both.each(async (plane) => {
        const first = await get(plane);
        await awaitStat(plane, stat, 1);
        await awaitStat(plane, "upstream_cx_active", 0);
        const second = await get(plane);
        return { first, second, total: await stats(plane, ["upstream_cx_total"]) };
      });
      expect(seen.weft).toEqual(seen.envoy);
      expect(seen.weft).toEqual({ first: "200 hi", second: "200 hi", total: [2] });
    }
  });

  test("that it closed are not used again", async () => {
    const up = await startUpstream({
      "/last": { send: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", end: "fin" },
    });
    const both = await startPlanes(staticCluster("up", [up.port]));
    const seen = await both.each(async (plane) => {
      const answers: string[] = [];
      for (let times = 1; times <= 3; times++) {
        answers.push(await get(plane, "/last"));
        await awaitStat(plane, "upstream_cx_destroy", times);
      }
      answers.push(await get(plane));
      const names = ["upstream_cx_destroy_remote", "upstream_cx_destroy_with_active_rq"];
      return { answers, stats: await stats(plane, [...names, "upstream_cx_total"]) };
    });
    expect(seen.weft).toEqual(seen.envoy);
    expect(seen.weft.answers).toEqual(["200 hi", "200 hi", "200 hi", "200 hi"]);
  });

  test("end an exchange that takes too long", async () => {
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun";
    const up = await startUpstream({ "/slow": {}, "/begun": { send: head } });
    const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    const options = {
      "@type": `type.googleapis.com/${name}`,
      explicit_http_config: { http_protocol_options: {} },
      common_http_protocol_options: { max_stream_duration: "0.1s" },
    };
    const both = await startPlanes(
      staticCluster("up", [up.port], { typed_extension_protocol_options: { [name]: options } }),
    );
    const seen = await both.each(async (plane) => {
      const half = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe";
      const to = { port: plane.ports.in, answers: 1 };
      const { messages } = await exchangeRaw({ ...to, parts: [half] });
      return {
        answers: [await get(plane, "/slow"), await get(plane, "/begun"), await get(plane)],
        early: `${messages[0]?.line} ${messages[0]?.body}`,
        stats: await stats(plane, ["upstream_rq_max_duration_reached", "upstream_rq_active"]),
      };
    });
    expect(seen.weft).toEqual(seen.envoy);
    expect(seen.weft.answers[0]).toBe("504 upstream max stream duration reached");
    expect(seen.weft.answers[2]).toBe("200 hi");
  });

  test("come from the address that is configured", async () => {
    const from: string[] = [];
    const server = createServer((socket) => {
      from.push(socket.remoteAddress ?? "");
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const source = { address: "127.0.0.7", port_value: 0 };
    const both = await startPlanes(
      staticCluster("up", [port], { upstream_bind_config: { source_address: source } }),
    );
    await both.each((plane) => get(plane));
    expect([...new Set(from)]).toEqual(["127.0.0.7"]);
  });

  test("may be Unix sockets", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weft-pipe-"));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "s");
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npipe"));
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    const endpoints = [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }];
    const both = await startPlanes(
      staticCluster("up", [], { load_assignment: { cluster_name: "up", endpoints } }),
    );
    const seen = await both.each(async (plane) => {
      const answer = await get(plane);
      const page = await fetch(`http://127.0.0.1:${plane.ports.admin}/clusters`);
      return { answer, isListed: (await page.text()).includes(`up::${path}::rq_total::1\n`) };
    });
    expect(seen.weft).toEqual({ answer: "200 pipe", isListed: true });
    expect(seen.weft).toEqual(seen.envoy);
  });
});
