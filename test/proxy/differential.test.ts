import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { markLog, readCaseLog } from "./case-log.ts";
import { type DataPlane, freePorts, startEnvoy, startWeft } from "./data-plane.ts";
import { differentialBootstrap, type ListenerPorts, SCRIPTS } from "./differential-bootstrap.ts";
import type { DifferentialCase } from "./differential-case.ts";
import { DIFFERENTIAL_CASES } from "./differential-cases.ts";
import { findOutcome, type Outcome, statusesOf } from "./outcome.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

const envoyProgram = findProgram("envoy");

const LISTENERS = ["main", "edge", "http10", "plain", "admin"] as const;

const folder = mkdtempSync(join(tmpdir(), "weft-differential-"));
const logOf = (name: "weft" | "envoy"): string => join(folder, `${name}.log`);

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
  const bootstrapWeft = differentialBootstrap(weftPorts, target, logOf("weft"));
  weft = { plane: await startWeft(bootstrapWeft), ports: weftPorts };
  if (envoyProgram === undefined) return;
  const ports = await takePorts();
  const bootstrap = differentialBootstrap(ports, target, logOf("envoy"));
  envoy = { plane: await startEnvoy(envoyProgram, bootstrap, ports.admin), ports };
});

afterAll(async () => {
  await weft.plane.stop();
  await envoy?.plane.stop();
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
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

function run(one: DifferentialCase, ports: ListenerPorts): Promise<Outcome> {
  return findOutcome({
    port: ports[one.listener ?? "main"],
    upstream,
    parts: typeof one.send === "string" ? [one.send] : one.send,
    answers: one.status.length,
    methods: one.methods,
    ignoredHeaders: one.ignoredHeaders,
  });
}

describe("weft's proxy", () => {
  test.each(DIFFERENTIAL_CASES)("answers as expected: $name", async (one) => {
    expect(statusesOf(await run(one, weft.ports))).toEqual(one.status);
  });
});

describe.skipIf(envoyProgram === undefined)("weft's proxy and Envoy", () => {
  // What was logged until now stands before the first mark.
  beforeAll(async () => {
    for (const one of [weft, envoy]) if (one !== undefined) await markLog(one.ports.main);
  });

  const alike = DIFFERENTIAL_CASES.filter(({ stricter }) => stricter === undefined);

  test.each(alike)("do the same: $name", async (one) => {
    if (envoy === undefined) throw new Error("envoy was not started");
    const theirs = await run(one, envoy.ports);
    const ours = await run(one, weft.ports);
    for (const { ports } of [envoy, weft]) await markLog(ports[one.listener ?? "main"]);
    expect(ours).toEqual(theirs);
  });

  test("log the same flags and details for each", async () => {
    if (envoy === undefined) throw new Error("envoy was not started");
    const [ours, theirs] = await Promise.all(
      (["weft", "envoy"] as const).map((name) => readCaseLog(logOf(name), alike.length + 1)),
    );
    const named = (logs: typeof ours): object[] =>
      alike.map(({ name }, at) => ({ name, log: logs?.[at + 1] }));
    expect(named(ours)).toEqual(named(theirs));
  });

  const stricter = DIFFERENTIAL_CASES.flatMap((one) =>
    one.stricter === undefined ? [] : [{ one, name: one.name, theirs: one.stricter.envoy }],
  );

  test.each(stricter)("differ where weft is stricter: $name", async ({ one, theirs }) => {
    if (envoy === undefined) throw new Error("envoy was not started");
    expect(statusesOf(await run(one, envoy.ports))).toEqual(theirs);
  });
});
