import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../controlplane/until.ts";
import { BothPlanes, type Plane } from "../both-planes.ts";
import { freePorts } from "../data-plane.ts";
import { findOutcome, statusesOf } from "../outcome.ts";
import { ScriptedUpstream } from "../scripted-upstream.ts";
import { FRAME_CASES, type FrameCase } from "./cases/frames.ts";
import { GRPC_CASES } from "./cases/grpc.ts";
import { HTTP1_CASES, type Http1Case } from "./cases/http1.ts";
import { H1_SCRIPTS, H2_SCRIPTS } from "./cases/scripts.ts";
import { STREAM_CASES } from "./cases/streams.ts";
import { UPSTREAM_CASES } from "./cases/upstreams.ts";
import { H2_LISTENERS, type H2Listener, h2Bootstrap } from "./h2-bootstrap.ts";
import type { H2Case } from "./h2-case.ts";
import { exchangeH2, type H2Answer, type H2Request } from "./h2-client.ts";
import { H2Upstream } from "./h2-upstream.ts";
import { exchangeFrames, type FramesSeen } from "./raw-frames.ts";

const CASES: readonly H2Case[] = [...STREAM_CASES, ...UPSTREAM_CASES, ...GRPC_CASES];

const folder = mkdtempSync(join(tmpdir(), "weft-h2-"));
const planes = new BothPlanes<H2Listener>();
const logs: string[] = [];
let http1: ScriptedUpstream;
let http2: H2Upstream;

beforeAll(async () => {
  http1 = await ScriptedUpstream.start(H1_SCRIPTS);
  http2 = await H2Upstream.start(H2_SCRIPTS);
  const [refused = 0] = await freePorts(1);
  await planes.start(H2_LISTENERS, (ports) => {
    const log = join(folder, `log-${logs.length}`);
    logs.push(log);
    return h2Bootstrap(ports, { http1: http1.port, http2: http2.port, refused }, log);
  });
});

afterAll(async () => {
  await planes.stop();
  await http1.stop();
  await http2.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  readonly answers: readonly Partial<H2Answer>[];
  readonly upstream: readonly object[];
  readonly log: readonly string[];
}

const SERVICE_TIME = "x-envoy-upstream-service-time";

let marks = 0;

/** Does what a case says with one plane; what it logs is found by a mark of its own. */
async function run(one: H2Case, plane: Plane<H2Listener>): Promise<Outcome> {
  const { listener = "http2", inTurn = false, ignores = [] } = one;
  http1.requests.length = 0;
  http2.requests.length = 0;
  const mark = `mark-${marks++}`;
  const requests = one.requests.map((request) => ({
    ...request,
    headers: { ...request.headers, mark },
  }));
  const answers = await exchangeH2(plane.ports[listener], requests, { inTurn, hasArrived });
  await until(() => http2.openStreams === 0, "the upstream's streams to end");
  const log = ignores.includes("log") ? [] : await linesOf(plane, mark, requests.length);
  const without = (line: string): string => line.replace(mark, "").trim();
  return {
    answers: answers.map((answer) => ({
      ...answer,
      headers: answer.headers
        .map(without)
        .filter((line) => !ignores.includes("time") || !line.startsWith(SERVICE_TIME)),
      ...(ignores.includes("body") ? { body: "" } : {}),
      ...(ignores.includes("reset") ? { reset: "" } : {}),
    })),
    upstream: ignores.includes("upstream") ? [] : JSON.parse(seen().replaceAll(mark, "")),
    log: log.map(without),
  };
}

/** The only request of a case: all of it, or all that its client sends. */
function hasArrived({ body = [] }: H2Request): boolean {
  if (http1.requests.length + http2.requests.length > 0) return true;
  return body.length > 0 && http1.unfinished.includes(body.join(""));
}

/** What both upstreams were sent; the order of headers means nothing. */
function seen(): string {
  const old = http1.requests.map(({ line, headers, body }) => ({
    line,
    headers: headers
      .map((header) =>
        header
          .replace(/^x-request-id: [\da-f-]{36}$/, "x-request-id: new")
          .replace(/^x-envoy-expected-rq-timeout-ms: (15000|14\d{3})$/, "x-expected: 15000")
          .replace(/^x-forwarded-port: \d+$/, "x-forwarded-port: some"),
      )
      .sort(),
    body,
  }));
  return JSON.stringify([...old, ...http2.requests]);
}

/** Waits until as many lines with the mark stand in the log as requests were made. */
async function linesOf(
  plane: Plane<H2Listener>,
  mark: string,
  count: number,
): Promise<readonly string[]> {
  const path = logs[planes.planes.indexOf(plane)] ?? "";
  let lines: string[] = [];
  await until(() => {
    lines = readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line.startsWith(`${mark} `));
    return lines.length >= count;
  }, "the log to have them").catch(() => undefined);
  return lines.sort();
}

function statusOf({ headers = [] }: Partial<H2Answer>): number {
  return Number(headers.find((header) => header.startsWith(":status: "))?.slice(9) ?? 0);
}

describe("over HTTP/2", () => {
  test.each(CASES)("$name", async (one) => {
    const { weft, envoy } = await planes.each((plane) => run(one, plane));
    expect(envoy.answers.map(statusOf)).toEqual(one.status);
    expect(weft).toEqual(envoy);
  });
});

function runFrames(
  { listener = "http2", send, preface }: FrameCase,
  { ports }: Plane<H2Listener>,
): Promise<FramesSeen> {
  return exchangeFrames(ports[listener], send, preface === undefined ? {} : { preface });
}

function isGoaway(line: string): boolean {
  return line.startsWith("GOAWAY");
}

describe("frames", () => {
  const alike = FRAME_CASES.filter(({ differs }) => differs === undefined);
  test.each(alike)("$name", async (one) => {
    const { weft, envoy } = await planes.each((plane) => runFrames(one, plane));
    // Envoy often closes without a word, where the RFC wants one.
    const isSilent = envoy.end === "closed" && !envoy.frames.some(isGoaway);
    const frames = isSilent ? weft.frames.filter((line) => !isGoaway(line)) : weft.frames;
    expect({ ...weft, frames }).toEqual(envoy);
  });

  const different = FRAME_CASES.flatMap((one) =>
    one.differs === undefined ? [] : [{ one, name: one.name, ...one.differs }],
  );
  test.each(different)("where weft differs: $name", async ({ one, weft: expected }) => {
    const { weft } = await planes.each((plane) => runFrames(one, plane));
    expect(weft.frames).toEqual(expected);
  });
});

async function runHttp1(one: Http1Case, { ports }: Plane<H2Listener>): Promise<object> {
  http2.requests.length = 0;
  const outcome = await findOutcome({
    port: ports.auto,
    upstream: http1,
    parts: typeof one.send === "string" ? [one.send] : one.send,
    answers: one.status.length,
    methods: one.methods,
  });
  return {
    ...outcome,
    rest: outcome.rest.replace(/^(x-envoy-upstream-service-time): \d+/m, "$1: some"),
    statuses: statusesOf(outcome),
    http2: JSON.parse(JSON.stringify(http2.requests)),
  };
}

describe("from HTTP/1.1 to HTTP/2", () => {
  test.each(HTTP1_CASES)("$name", async (one) => {
    const { weft, envoy } = await planes.each((plane) => runHttp1(one, plane));
    expect(envoy).toMatchObject({ statuses: one.status });
    expect(weft).toEqual(envoy);
  });
});
