import { createServer } from "node:http";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { httpListener, routeTable, staticCluster } from "../bootstrap-json.ts";
import { freePorts, startWeft } from "../data-plane.ts";

const STREAMS = 10_000;
/** Upstream connections that wait together; the rest waits for one of them. */
const UPSTREAM_CONNECTIONS = 200;
const LONG_MS = 60_000;

let ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.reverse()) await end();
  ends = [];
});

test("10,000 streams of one connection wait at a time, and are all answered", async () => {
  let isOpen = false;
  const waiting: (() => void)[] = [];
  const upstream = createServer((asked, response) => {
    asked.resume();
    if (isOpen) response.end("hi");
    else waiting.push(() => response.end("hi"));
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const [port = 0] = await freePorts(1);
  const limits = {
    max_connections: UPSTREAM_CONNECTIONS,
    max_pending_requests: STREAMS,
    max_requests: STREAMS,
  };
  const plane = await startWeft({
    static_resources: {
      listeners: [
        httpListener("in", port, {
          codec_type: "HTTP2",
          http2_protocol_options: { max_concurrent_streams: STREAMS },
          route_config: routeTable([
            { match: { prefix: "/" }, route: { cluster: "up", timeout: "0s" } },
          ]),
        }),
      ],
      clusters: [
        staticCluster("up", [(upstream.address() as AddressInfo).port], {
          circuit_breakers: { thresholds: [limits] },
        }),
      ],
    },
  });
  ends.push(() => plane.stop());
  const stat = (name: string): number =>
    plane.proxy.stats().find((one) => one.name === name)?.value ?? 0;
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  ends.push(() => session.destroy());
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  const answers: Record<string, number> = {};
  const count = (answer: string): void => {
    answers[answer] = (answers[answer] ?? 0) + 1;
  };
  for (let at = 0; at < STREAMS; at++) {
    const stream = session.request({ ":path": `/${at}` });
    let status = "none";
    stream.on("response", (headers) => {
      status = String(headers[":status"]);
    });
    stream.on("error", () => undefined);
    stream.on("close", () => count(stream.rstCode === 0 ? status : `reset ${stream.rstCode}`));
    stream.resume();
  }
  const active = "http.in.downstream_rq_active";
  await until(() => stat(active) === STREAMS, "all to wait at a time", LONG_MS);
  await until(() => waiting.length === UPSTREAM_CONNECTIONS, "the first of them", LONG_MS);
  isOpen = true;
  for (const answer of waiting.splice(0)) answer();
  await until(() => stat(active) === 0, "all to be answered", LONG_MS);
  await until(() => answers["200"] === STREAMS, "all answers to come", LONG_MS);
  expect(answers).toEqual({ "200": STREAMS });
  expect(stat("http.in.downstream_cx_total")).toBe(1);
  expect(stat("server.envoy_bug_failures")).toBe(0);
}, 240_000);
