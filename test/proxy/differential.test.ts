import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { differentialBootstrap, type ListenerPorts, SCRIPTS } from "./differential-bootstrap.ts";
import type { DifferentialCase } from "./differential-case.ts";
import { DIFFERENTIAL_CASES } from "./differential-cases.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";
import type { WireMessage } from "./wire-message.ts";

const envoyProgram = findProgram("envoy");

const LISTENERS = ["main", "edge", "http10", "plain", "admin"] as const;

/** What a case did, without what may differ from run to run. */
interface Outcome {
  readonly answers: readonly WireMessage[];
  readonly rest: string;
  readonly upstream: readonly WireMessage[];
}

let upstream: ScriptedUpstream;
let weft: { plane: DataPlane; ports: ListenerPorts };
let envoy: { plane: DataPlane; ports: ListenerPorts } | undefined;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start({
    ...SCRIPTS,
    "/head-chunked": { send: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
  });
  const [refusedPort = 0] = await freePorts(1);
  const target = { port: upstream.port, refusedPort };
  const weftPorts = await takePorts();
  weft = { plane: await startWeft(differentialBootstrap(weftPorts, target)), ports: weftPorts };
  if (envoyProgram === undefined) return;
  const ports = await takePorts();
  const bootstrap = differentialBootstrap(ports, target);
  envoy = { plane: await startEnvoy(envoyProgram, bootstrap, ports.admin), ports };
});

afterAll(async () => {
  await weft.plane.stop();
  await envoy?.plane.stop();
  await upstream.stop();
});

async function takePorts(): Promise<ListenerPorts> {
  const ports = await freePorts(LISTENERS.length);
  const at = (name: (typeof LISTENERS)[number]): number => ports[LISTENERS.indexOf(name)] ?? 0;
  return {
    main: at("main"),
    edge: at("edge"),
    http10: at("http10"),
    plain: at("plain"),
    admin: at("admin"),
  };
}

async function run(one: DifferentialCase, ports: ListenerPorts): Promise<Outcome> {
  upstream.requests.length = 0;
  const { messages, rest } = await exchangeRaw({
    port: ports[one.listener ?? "main"],
    parts: typeof one.send === "string" ? [one.send] : one.send,
    answers: one.status.length,
    ...(one.methods === undefined ? {} : { methods: one.methods }),
  });
  return {
    answers: messages.map((message) => normalize(message, one.ignoredHeaders ?? [])),
    rest,
    upstream: upstream.requests.map((message) => normalize(message, [])),
  };
}

/** Takes out what no two runs share, and the order of headers, which means nothing. */
function normalize(message: WireMessage, ignored: readonly string[]): WireMessage {
  const headers = message.headers
    .filter((header) => !ignored.some((name) => header.startsWith(`${name}:`)))
    .map((header) =>
      header
        .replace(/^date: .*/, "date: now")
        // A retry is told how much of the time is left.
        .replace(
          /^x-envoy-expected-rq-timeout-ms: 14\d{3}$/,
          "x-envoy-expected-rq-timeout-ms: 14xxx",
        )
        .replace(/^x-request-id: [\da-f-]{36}$/, "x-request-id: new")
        .replace(/^x-envoy-upstream-service-time: \d+$/, "x-envoy-upstream-service-time: some"),
    )
    .sort();
  return { ...message, headers };
}

function statuses({ answers }: Outcome): readonly number[] {
  return answers.map(({ line }) => Number(line.split(" ")[1]));
}

describe("weft's proxy", () => {
  test.each(DIFFERENTIAL_CASES)("answers as expected: $name", async (one) => {
    expect(statuses(await run(one, weft.ports))).toEqual(one.status);
  });
});

describe.skipIf(envoyProgram === undefined)("weft's proxy and Envoy", () => {
  const alike = DIFFERENTIAL_CASES.filter(({ stricter }) => stricter === undefined);

  test.each(alike)("do the same: $name", async (one) => {
    if (envoy === undefined) throw new Error("envoy was not started");
    const theirs = await run(one, envoy.ports);
    expect(await run(one, weft.ports)).toEqual(theirs);
  });

  const stricter = DIFFERENTIAL_CASES.flatMap((one) =>
    one.stricter === undefined ? [] : [{ one, name: one.name, theirs: one.stricter.envoy }],
  );

  test.each(stricter)("differ where weft is stricter: $name", async ({ one, theirs }) => {
    if (envoy === undefined) throw new Error("envoy was not started");
    expect(statuses(await run(one, envoy.ports))).toEqual(theirs);
  });
});
