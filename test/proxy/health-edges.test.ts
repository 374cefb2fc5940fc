import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { socketAddress } from "./bootstrap-json.ts";
import { response, SILENCE, withBody } from "./checked-server.ts";
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
import { healthFlags, linesOf, onBoth, statsWith } from "./health-planes.ts";

afterEach(closeAll);

function runtime(values: object): object {
  return { layered_runtime: { layers: [{ name: "fixed", static_layer: values }] } };
}

describe("an operator", () => {
  test("turns the look at the host's name off, and makes checks rarer or more frequent", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const up = await serve(OK, OK, SILENCE);
      const check = {
        no_traffic_healthy_interval: "60s",
        http_health_check: { path: "/check", service_name_matcher: { exact: "other" } },
      };
      const values = runtime({
        "health_check.verify_cluster": 0,
        "health_check.max_interval": 50,
      });
      const plane = await startCluster(name, cluster([up.port], {}, check), values);
      await until(() => up.checks.length === 3, `${name}: checks each 50 ms`);
      const gapMs = (up.timesMs[1] ?? 0) - (up.timesMs[0] ?? 0);
      return {
        flags: await healthFlags(plane, "up"),
        stats: await checkStats(plane),
        isSoon: gapMs >= 45,
      };
    });
    expect(weft).toEqual(envoy);
    expect(weft.flags).toEqual(["healthy"]);
    expect(weft.stats["health_check.verify_cluster"]).toBe(0);
  });
});

describe("a host that was ejected", () => {
  test("comes back when a check finds it well", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      let answer: ((text: string) => void) | undefined;
      const up = await serve(OK, (socket) => {
        answer = (text) => socket.write(text);
      });
      up.hello = response(503);
      const plane = await startCluster(
        name,
        cluster(
          [up.port],
          {
            outlier_detection: {
              consecutive_5xx: 1,
              base_ejection_time: "600s",
              interval: "600s",
              max_ejection_percent: 100,
            },
          },
          { no_traffic_healthy_interval: "0.02s", interval: "60s" },
        ),
      );
      await until(() => answer !== undefined, `${name}: the second check`);
      await ask(plane);
      const flags = await until(async () => {
        const now = await healthFlags(plane, "up");
        return now[0] === "healthy" ? undefined : now;
      }, `${name}: the ejection`);
      answer?.(OK);
      await until(
        async () => (await healthFlags(plane, "up"))[0] === "healthy",
        `${name}: it back`,
      );
      const stats = await statsWith(plane, "cluster.up.outlier_detection.");
      return [flags, stats["ejections_active"], stats["ejections_enforced_total"]];
    });
    expect(weft).toEqual(envoy);
    expect(weft).toEqual([["/failed_outlier_check"], 0, 1]);
  });
});

describe("a connection of checks", () => {
  test("is not kept for longer than the cluster keeps any", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const up = await serve(OK, OK, SILENCE);
      const options = {
        typed_extension_protocol_options: {
          "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            common_http_protocol_options: { idle_timeout: "0.1s" },
            explicit_http_config: { http_protocol_options: {} },
          },
        },
      };
      const timing = { no_traffic_healthy_interval: "0.6s" };
      const plane = await startCluster(name, cluster([up.port], options, timing));
      await until(() => up.checks.length === 3, `${name}: three checks`);
      const { upstream_cx_idle_timeout: timeouts } = await statsWith(plane, "cluster.up.");
      return [up.connectionOf, timeouts];
    });
    expect(weft).toEqual(envoy);
    expect(weft).toEqual([[1, 2, 3], 2]);
  });
});

describe("a host that a request names", () => {
  test("begins as well, and is checked while it is there", async () => {
    const { weft, envoy } = await onBoth(async (name) => {
      const up = await serve(BAD, SILENCE);
      const plane = await startCluster(name, {
        ...cluster([], {}, { interval: "0.02s" }),
        type: "ORIGINAL_DST",
        lb_policy: "CLUSTER_PROVIDED",
        load_assignment: undefined,
        original_dst_lb_config: { use_http_header: true },
      });
      const header = `x-envoy-original-dst-host: 127.0.0.1:${up.port}\r\n`;
      up.hello = withBody(200, "there");
      const answers = [...(await ask(plane, 1, header))];
      await until(() => up.checks.length === 2, `${name}: two checks`);
      answers.push(...(await ask(plane, 1, header)));
      return { answers, flags: await healthFlags(plane, "up"), stats: await checkStats(plane) };
    });
    expect(weft).toEqual(envoy);
  });
});

describe("a host elsewhere", () => {
  test.each(["a Unix socket", "IPv6"])("is checked over %s", async (kind) => {
    const { weft, envoy } = await onBoth(async (name) => {
      const folder = mkdtempSync(join(tmpdir(), "weft-elsewhere-"));
      closers.push(() => rmSync(folder, { recursive: true, force: true }));
      const path = join(folder, "socket");
      const log = join(folder, "events.log");
      const heads: string[] = [];
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.on("data", (bytes) => {
          heads.push(bytes.toString("latin1"));
          socket.write(OK);
        });
      });
      const at = kind === "IPv6" ? { port: 0, host: "::1" } : { path };
      await new Promise<void>((resolve) => server.listen(at, resolve));
      closers.push(() => new Promise((resolve) => server.close(resolve)));
      const bound = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : 0;
      const address = kind === "IPv6" ? socketAddress(port, "::1") : { pipe: { path } };
      const options = {
        load_assignment: {
          cluster_name: "up",
          endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
        },
      };
      const plane = await startCluster(name, cluster([], options, { event_log_path: log }));
      const lines = await linesOf(log, 1);
      const flags = await healthFlags(plane, "up");
      await plane.stop();
      const plain = lines.map((line) =>
        line
          .replace(/"timestamp":"[^"]*"/, "")
          .replaceAll(folder, "")
          .replace(`"port_value":${port}`, "PORT"),
      );
      return { heads, flags, lines: plain };
    });
    expect(weft).toEqual(envoy);
    expect(weft.flags).toEqual(["healthy"]);
  });
});
