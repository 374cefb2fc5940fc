import { connect as connectHttp2 } from "node:http2";
import { afterEach, describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createPrng } from "../../src/base/prng.ts";
import type { AccessLogConfig } from "../../src/proxy/access-log/access-log.ts";
import { parseBootstrap } from "../../src/proxy/bootstrap.ts";
import type { BodySink } from "../../src/proxy/http/body-sink.ts";
import {
  FILTER,
  type FilterStream,
  type HttpFilter,
  type HttpFilterConfig,
} from "../../src/proxy/http/http-filter.ts";
import { Deadline } from "../../src/proxy/net/deadlines.ts";
import type { PassingFilterConfig } from "../../src/proxy/network-filter/network-filter.ts";
import { Proxy } from "../../src/proxy/proxy.ts";
import type { Span } from "../../src/proxy/tracing/span.ts";
import type { TracerConfig } from "../../src/proxy/tracing/tracer-set.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { freePorts } from "./data-plane.ts";
import { sendH2 } from "./http2/h2-client.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

/** Where a filter throws: by the path of the request. */
type Place =
  | "request"
  | "body"
  | "trailers"
  | "response"
  | "responseBody"
  | "responseEnd"
  | "end"
  | "deadline"
  | "log"
  | "traceStart"
  | "traceEnd"
  | "none";

let proxy: Proxy | undefined;
let upstream: ScriptedUpstream | undefined;

afterEach(async () => {
  await proxy?.stop(0);
  await upstream?.stop();
});

function throwAt(place: string): never {
  throw new Error(`thrown at ${place}`);
}

/** A filter with a bug for each place. */
const BUGGY: HttpFilterConfig = {
  name: "buggy",
  isDisabled: false,
  open:
    ({ context }) =>
    (stream: FilterStream): HttpFilter => {
      const at = (): Place => stream.path.substring(1) as Place;
      const throwing = (place: Place) => ({
        onBodyBytes: () => throwAt(place),
        onBodyEnd: () => undefined,
      });
      const throwingAtEnd =
        (place: Place) =>
        (next: BodySink): BodySink => ({
          onBodyBytes: (buffer, from, to) => next.onBodyBytes(buffer, from, to),
          onBodyEnd: () => throwAt(place),
        });
      const deadline = new Deadline({ onDeadline: () => throwAt("deadline") });
      return {
        onRequestHead() {
          if (at() === "request") throwAt("request");
          if (at() === "body") stream.interceptRequest(() => throwing("body"));
          if (at() === "trailers") stream.interceptRequest(throwingAtEnd("trailers"));
          if (at() === "deadline") {
            context.deadlines.set(deadline, 10, context.clock.monotonicMs());
          }
          return FILTER.continue;
        },
        onResponseHead() {
          if (at() === "response") throwAt("response");
          if (at() === "responseBody") stream.interceptResponse(() => throwing("responseBody"));
          if (at() === "responseEnd") stream.interceptResponse(throwingAtEnd("responseEnd"));
        },
        onStreamEnd() {
          if (at() === "end") throwAt("end");
        },
      };
    },
};

/** A log with one, too. */
const BUGGY_LOG: AccessLogConfig = {
  sink: {
    kind: "file",
    path: "/dev/stdout",
    format: ({ path }) => (path === "/log" ? throwAt("log") : ""),
  },
};

/** A tracer with one, of a span's begin and of its end. */
const BUGGY_TRACER: TracerConfig = {
  digest: "buggy",
  neededCluster: "",
  open: () => ({
    tracer: {
      start({ headers }) {
        const place = headers.get("x-place");
        if (place === "traceStart") throwAt("traceStart");
        const nothing = (): undefined => undefined;
        const span: Span = {
          traceId: "0000000000000001",
          spanId: "0000000000000002",
          isSampled: true,
          setOperation: nothing,
          setTag: nothing,
          note: nothing,
          inject: nothing,
          startChild: () => span,
          finish() {
            if (place === "traceEnd") throwAt("traceEnd");
          },
        };
        return span;
      },
    },
    close: () => undefined,
  }),
};

/** A network filter with one, which the transport of a connection runs into. */
const BUGGY_CONNECTION: PassingFilterConfig = {
  isTerminal: false,
  create: () => () => ({ onData: () => throwAt("connection") }),
};

/** All are traced; by whom is put in afterwards. */
const TRACING = { random_sampling: { value: 100 } };

async function start(
  filters: readonly PassingFilterConfig[] = [],
): Promise<{ port: number; lines: string[] }> {
  upstream = await ScriptedUpstream.start();
  const [port = 0, adminPort = 0] = await freePorts(2);
  const route_config = routeTable([{ match: { prefix: "/" }, route: { cluster: "up" } }]);
  const parsed = parseBootstrap(
    JSON.stringify({
      admin: { address: socketAddress(adminPort) },
      static_resources: {
        listeners: [httpListener("in", port, { route_config, tracing: TRACING })],
        clusters: [staticCluster("up", [upstream.port])],
      },
    }),
  );
  if (!parsed.ok) throw new Error(parsed.issues.map(formatIssue).join("\n"));
  const [chain] = parsed.value.listeners[0]?.chains ?? [];
  const http = chain?.terminal.http;
  if (chain === undefined || http === undefined) throw new Error("there is no chain");
  (http.filters as HttpFilterConfig[]).unshift(BUGGY);
  (http.accessLogs as AccessLogConfig[]).push(BUGGY_LOG);
  Object.assign(http.tracing ?? {}, { tracer: BUGGY_TRACER });
  (chain.filters as PassingFilterConfig[]).push(...filters);
  const lines: string[] = [];
  proxy = new Proxy(parsed.value, {
    clock: nodeClock,
    prng: createPrng(1),
    log: createLogger({
      clock: nodeClock,
      write: (line) => lines.push(line),
      level: () => "error",
    }),
    writeStream: () => undefined,
    onQuit: () => undefined,
  });
  await proxy.start();
  return { port, lines };
}

function stat(name: string): number | undefined {
  return proxy?.stats().find((one) => one.name === name)?.value;
}

async function ask(port: number, place: Place): Promise<string> {
  const { messages, rest } = await exchangeRaw({
    port,
    parts: [
      `POST /${place} HTTP/1.1\r\nhost: a\r\nx-place: ${place}\r\ncontent-length: 2\r\n\r\nhi`,
    ],
    answers: 1,
  });
  return messages[0]?.line ?? `no answer, ${rest.length > 0 ? "begun" : "not begun"}`;
}

describe("an exception", () => {
  const places: [Place, string][] = [
    ["request", "HTTP/1.1 500 Internal Server Error"],
    ["body", "HTTP/1.1 500 Internal Server Error"],
    ["trailers", "HTTP/1.1 500 Internal Server Error"],
    ["response", "HTTP/1.1 500 Internal Server Error"],
    // The head has gone out: the client must see that the rest is missing.
    ["responseBody", "no answer, begun"],
    // All of it has come by its length.
    ["responseEnd", "HTTP/1.1 200 OK"],
    ["end", "HTTP/1.1 200 OK"],
    ["deadline", "HTTP/1.1 200 OK"],
    ["traceStart", "HTTP/1.1 500 Internal Server Error"],
    ["traceEnd", "HTTP/1.1 200 OK"],
  ];
  /** The same over HTTP/2, where the connection goes on. */
  const streams: [Place, string][] = [
    ["request", ":status: 500"],
    ["body", ":status: 500"],
    ["trailers", ":status: 500"],
    ["response", ":status: 500"],
    ["responseBody", "INTERNAL_ERROR"],
    ["responseEnd", "INTERNAL_ERROR"],
    ["end", ":status: 200"],
    ["deadline", ":status: 200"],
    ["log", ":status: 200"],
    ["traceStart", ":status: 500"],
    ["traceEnd", ":status: 200"],
  ];
  test.each(streams)("at %s ends one stream of HTTP/2 alone", async (place, expected) => {
    const { port, lines } = await start();
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    session.on("error", () => undefined);
    try {
      const send = async (path: Place): Promise<string> => {
        const { headers, reset } = await sendH2(session, {
          headers: { ":path": `/${path}`, ":method": "POST", "x-place": path },
          body: ["hi"],
          trailers: { "x-t": "1" },
        });
        return reset ?? headers.find((line) => line.startsWith(":status")) ?? "nothing";
      };
      // Beside it and behind it on the same connection others go on.
      const all = await Promise.all([send("none"), send(place), send("none")]);
      expect(all).toEqual([":status: 200", expected, ":status: 200"]);
      await until(() => stat("server.envoy_bug_failures") === 1, "it to be counted");
      expect(lines.filter((line) => line.includes(`thrown at ${place}`))).toHaveLength(1);
      expect(await send("none")).toBe(":status: 200");
      expect(session.destroyed).toBe(false);
      expect(stat("http.in.downstream_cx_total")).toBe(1);
      await until(() => stat("http.in.downstream_rq_active") === 0, "streams to end");
      await until(() => stat("cluster.up.upstream_rq_active") === 0, "exchanges to end");
    } finally {
      session.destroy();
    }
  });

  test.each(places)("at %s ends its stream alone", async (place, expected) => {
    const { port, lines } = await start();
    expect(await ask(port, "none")).toBe("HTTP/1.1 200 OK");
    expect(await ask(port, place)).toBe(expected);
    await until(() => stat("server.envoy_bug_failures") === 1, "it to be counted");
    expect(lines.filter((line) => line.includes(`thrown at ${place}`))).toHaveLength(1);
    expect(lines[0]).toContain("exceptions.test.ts");
    expect(await ask(port, "none")).toBe("HTTP/1.1 200 OK");
    await until(() => stat("http.in.downstream_cx_active") === 0, "connections to end");
    expect(stat("http.in.downstream_rq_active")).toBe(0);
    expect(stat("cluster.up.upstream_rq_active")).toBe(0);
  });

  test("in an access log leaves the answer as it is", async () => {
    const { port, lines } = await start();
    expect(await ask(port, "log")).toBe("HTTP/1.1 200 OK");
    expect(await ask(port, "none")).toBe("HTTP/1.1 200 OK");
    expect(stat("server.envoy_bug_failures")).toBe(1);
    expect(lines[0]).toContain("thrown at log");
  });

  test("outside of any stream ends its connection alone", async () => {
    const { port, lines } = await start([BUGGY_CONNECTION]);
    for (let times = 1; times <= 2; times++) {
      expect(await ask(port, "none")).toBe("no answer, not begun");
      expect(stat("server.envoy_bug_failures")).toBe(times);
    }
    expect(lines[0]).toContain("thrown at connection");
    await until(() => stat("http.in.downstream_cx_active") === 0, "connections to end");
  });

  test("that comes again and again is counted, and not logged for ever", async () => {
    const { port, lines } = await start();
    for (let times = 0; times < 30; times++) await ask(port, "request");
    expect(stat("server.envoy_bug_failures")).toBe(30);
    expect(lines).toHaveLength(10);
    expect(stat("http.in.downstream_rq_5xx")).toBe(30);
  });
});
