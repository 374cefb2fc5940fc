import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ROUTER_SCRIPTS, type RouterListener, routerBootstrap } from "./router-bootstrap.ts";
import { ROUTER_CASES, type RouterCase } from "./router-cases.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import type { WireMessage } from "./wire-message.ts";

const envoyProgram = findProgram("envoy");

/** How long a copy may take to come; none at all is waited for as long. */
const COPY_MS = 150;

interface Outcome {
  readonly answers: readonly WireMessage[];
  readonly upstream: readonly WireMessage[];
  readonly copies: readonly WireMessage[];
}

let upstream: ScriptedUpstream;
let shadow: ScriptedUpstream;
type Ports = Readonly<Record<RouterListener | "admin", number>>;

let weft: { plane: DataPlane; ports: Ports };
let envoy: { plane: DataPlane; ports: Ports } | undefined;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start(ROUTER_SCRIPTS);
  shadow = await ScriptedUpstream.start();
  const [refusedPort = 0] = await freePorts(1);
  const target = { port: upstream.port, shadowPort: shadow.port, refusedPort };
  const ports = await takePorts();
  weft = { plane: await startWeft(routerBootstrap(ports, target)), ports };
  if (envoyProgram === undefined) return;
  const theirs = await takePorts();
  const bootstrap = routerBootstrap(theirs, target);
  envoy = { plane: await startEnvoy(envoyProgram, bootstrap, theirs.admin), ports: theirs };
});

async function takePorts(): Promise<Ports> {
  const [main = 0, inside = 0, specific = 0, admin = 0] = await freePorts(4);
  return { main, inside, specific, admin };
}

afterAll(async () => {
  await weft.plane.stop();
  await envoy?.plane.stop();
  await upstream.stop();
  await shadow.stop();
});

async function run(one: RouterCase, ports: Ports): Promise<Outcome> {
  upstream.requests.length = 0;
  shadow.requests.length = 0;
  const parts = [one.send];
  const port = ports[one.listener ?? "main"];
  const { messages } = await exchangeRaw({ port, parts, answers: 1, methods: [method(one.send)] });
  if (one.isCopied === true) await new Promise((resolve) => setTimeout(resolve, COPY_MS));
  return {
    answers: messages.map(normalize),
    upstream: upstream.requests.map(normalize),
    copies: shadow.requests.map(normalize),
  };
}

function method(send: string): string {
  return send.substring(0, send.indexOf(" "));
}

/** Takes out what no two runs share, and the order of headers of different names. */
function normalize(message: WireMessage): WireMessage {
  const headers = message.headers
    .map((header) =>
      header
        .replace(/^date: .*/, "date: now")
        .replace(/^x-request-id: [\da-f-]{36}$/, "x-request-id: new")
        .replace(/^x-envoy-upstream-service-time: \d+$/, "x-envoy-upstream-service-time: some")
        // What is left of the time, on later attempts.
        .replace(/^(x-envoy-expected-rq-timeout-ms: )(\d+)$/, (_, key: string, ms: string) =>
          key.concat(String(Math.ceil(Number(ms) / 1000) * 1000)),
        ),
    )
    .sort((left, right) => (name(left) < name(right) ? -1 : name(left) > name(right) ? 1 : 0));
  return { ...message, headers };
}

function name(header: string): string {
  return header.substring(0, header.indexOf(":"));
}

describe("weft's router", () => {
  test.each(ROUTER_CASES)("answers as expected: $name", async (one) => {
    const { answers, upstream: seen, copies } = await run(one, weft.ports);
    expect(answers.map(({ line }) => Number(line.split(" ")[1]))).toEqual([one.status]);
    expect(seen.length).toBe(one.attempts ?? 1);
    expect(copies.length).toBe(one.isCopied === true ? 1 : 0);
  });
});

describe.skipIf(envoyProgram === undefined)("weft's router and Envoy's", () => {
  const alike = ROUTER_CASES.filter(({ stricter }) => stricter === undefined);

  test.each(alike)("do the same: $name", async (one) => {
    if (envoy === undefined) throw new Error("envoy was not started");
    const theirs = await run(one, envoy.ports);
    expect(await run(one, weft.ports)).toEqual(theirs);
  });
});
