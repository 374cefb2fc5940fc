import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BothPlanes, type Plane } from "./both-planes.ts";
import { freePorts } from "./data-plane.ts";
import { type ReportedSpan, SpanCollector } from "./span-collector.ts";
import { TRACING_LISTENERS, type TracingListener, tracingBootstrap } from "./tracing-bootstrap.ts";
import { TRACING_CASES, type TracingCase } from "./tracing-cases.ts";

/** After what was expected, so long is waited for more. */
const QUIET_MS = 60;

/** Headers that traces are told in. */
const TOLD = /^(?:b3|x-b3-.*|traceparent|tracestate|baggage|x-request-id|x-envoy-decorator-.*)$/;

let collector: SpanCollector;
let app: Server;
const calls: Record<string, string>[] = [];
const planes = new BothPlanes<TracingListener>();

beforeAll(async () => {
  collector = await SpanCollector.start();
  app = createServer(answer);
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  const [refused = 0] = await freePorts(1);
  const { port } = app.address() as AddressInfo;
  await planes.start(TRACING_LISTENERS, (listeners) =>
    tracingBootstrap({ listeners, app: port, collector: collector.port, refused }),
  );
});

afterAll(async () => {
  await planes.stop();
  await collector.stop();
  app.closeAllConnections();
  app.close();
});

/** The upstream: its path says what it does. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  calls.push(toldOf(request.headers));
  const url = new URL(request.url ?? "", "http://app");
  const isFirst = calls.length === 1;
  const say = url.searchParams.get("say");
  if (say !== null) response.setHeader("x-envoy-decorator-operation", say);
  switch (url.pathname.split("/").at(-1) ?? "") {
    case "reset":
      return void request.socket.destroy();
    case "cut":
      response.writeHead(200, { "content-length": 10 }).write("abc");
      return void setTimeout(() => request.socket.destroy(), 20);
    case "try-slow":
      if (isFirst) return;
      break;
    case "slow":
      return;
    case "once":
      if (isFirst) return void response.writeHead(503, { "content-length": 0 }).end();
      break;
    case "once-body":
      if (isFirst) {
        response.writeHead(503).write("busy");
        return void setTimeout(() => response.end(), 20);
      }
      break;
    case "leave":
      return void response
        .writeHead(302, { location: "http://example.com/", "content-length": 0 })
        .end();
    case "grpc":
      response.writeHead(200, {
        "content-type": "application/grpc",
        "grpc-status": url.searchParams.get("status") ?? "0",
        "grpc-message": "said",
        "content-length": 0,
      });
      return void response.end();
    case "500":
    case "404":
      response.statusCode = Number(url.pathname.split("/").at(-1));
      break;
    default:
      break;
  }
  response.setHeader("content-length", 5);
  response.end("hello");
}

function toldOf(headers: IncomingMessage["headers"]): Record<string, string> {
  const told = Object.entries(headers).filter(([name]) => TOLD.test(name));
  return Object.fromEntries(told.map(([name, value]) => [name, String(value)]));
}

/** What came of one request, without what differs from run to run. */
async function run(one: TracingCase, plane: Plane<TracingListener>): Promise<unknown> {
  calls.length = 0;
  collector.clear();
  const answered = await send(one, plane.ports[one.listener]);
  const spans = await collector.whenCame(one.spans);
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  const clean = createCleaner(one);
  return clean({
    answered,
    calls,
    spans: collector.spans.map(readable).sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1)),
    reports: collector.reports.slice(0, 1).map(({ path, headers }) => ({
      path,
      host: headers["host"],
      type: headers["content-type"],
      key: headers["x-key"],
      internal: headers["x-envoy-internal"],
      for: headers["x-forwarded-for"],
      timeout: headers["x-envoy-expected-rq-timeout-ms"],
    })),
    more: spans.length - one.spans,
  });
}

function sortKey(span: ReportedSpan): string {
  const {
    attributes = {},
    tags = attributes,
    kind,
    name,
  } = span as {
    readonly [key: string]: string | Readonly<Record<string, unknown>>;
  };
  const { "retry.count": retry, "http.status_code": status } = tags as Record<string, unknown>;
  return JSON.stringify([kind, name, retry ?? 0, status]);
}

async function send(
  { path = "/", method = "GET", headers = {} }: TracingCase,
  port: number,
): Promise<unknown> {
  const sent = request({
    host: "127.0.0.1",
    port,
    path,
    method,
    headers: { host: "example.com", ...headers },
    agent: false,
  });
  sent.on("error", () => undefined);
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  response.resume();
  await new Promise((resolve) => response.on("close", resolve));
  return { status: response.statusCode, ...toldOf(response.headers) };
}

/** The parts of a span, in whichever format it came, that can be compared. */
function readable(span: ReportedSpan): ReportedSpan {
  const { timestamp, duration, annotations, startTimeUnixNano, endTimeUnixNano, ...rest } = span;
  const { events, attributes, ...others } = rest;
  const names = ((annotations ?? events ?? []) as { value?: string; name?: string }[]).map(
    ({ value, name }) => value ?? name,
  );
  const isOrdered =
    startTimeUnixNano === undefined
      ? Number(timestamp) > 1e15 && Number(duration) >= 0
      : BigInt(startTimeUnixNano as string) <= BigInt(endTimeUnixNano as string);
  const list = attributes as { key: string; value: unknown }[] | undefined;
  const attributesByName =
    list && Object.fromEntries(list.map(({ key, value }) => [key, value] as const));
  return {
    ...others,
    ...(list && { attributes: attributesByName }),
    names,
    isOrdered,
    startUs: Number(timestamp ?? startTimeUnixNano),
  };
}

const ID = /^[\da-f]{16}(?:[\da-f]{16})?$/;

/** Gives every ID that is drawn the number of its first appearance, and takes ports and times out. */
function createCleaner({ headers = {} }: TracingCase): (value: unknown) => unknown {
  const known = Object.values(headers).join(" ").toLowerCase();
  const numbers = new Map<string, string>();
  const number = (id: string): string => {
    if (known.includes(id)) return id;
    const found = numbers.get(id) ?? `id ${numbers.size + 1} of ${id.length}`;
    numbers.set(id, found);
    return found;
  };
  const text = (value: string): string => {
    if (ID.test(value)) return idText(value);
    return value
      .replace(
        /[\da-f]{8}-[\da-f]{4}-(.)[\da-f]{3}-[\da-f]{4}-[\da-f]{12}/,
        (id, reason: string) => (known.includes(id) ? id : `request ${reason}`),
      )
      .replaceAll(/(?<![\da-f])(?:[\da-f]{32}|[\da-f]{16})(?![\da-f])/g, idText);
  };
  // A span's ID may be the second half of its trace's.
  const idText = (id: string): string =>
    id.length === 16 || known.includes(id)
      ? number(id)
      : `${number(id.substring(0, 16))}+${number(id.substring(16))}`;
  const clean = (value: unknown): unknown => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(clean);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== "startUs")
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, one]) => [
          key,
          /^(?:traceId|spanId|parentSpanId)$/.test(key) && typeof one === "string" && !ID.test(one)
            ? idText(Buffer.from(one, "base64").toString("hex"))
            : clean(one),
        ]),
    );
  };
  return clean;
}

describe("tracing", () => {
  test.each(TRACING_CASES)("$name", async (one) => {
    const outcome = await planes.each((plane) => run(one, plane));
    expect(outcome.weft).toEqual(outcome.envoy);
    expect(outcome.envoy).toMatchObject({ more: 0 });
  });

  test("counts what was decided", async () => {
    const outcome = await planes.each((plane) => plane.stats("tracing"));
    // Envoy counts its timer where nothing waits, too.
    for (const stats of Object.values(outcome)) {
      for (const name of Object.keys(stats)) if (name.endsWith("timer_flushed")) delete stats[name];
    }
    expect(outcome.weft).toEqual(outcome.envoy);
  });
});
