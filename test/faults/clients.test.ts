import { connect } from "node:net";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { until } from "../controlplane/until.ts";
import { fillerYaml } from "./generation-yaml.ts";
import { PilotMesh } from "./pilot-mesh.ts";
import { findPlanes, VARIANTS } from "./planes.ts";
import { XdsProbe } from "./xds-probe.ts";

const FILLERS = 40;
const MIB = 1024 * 1024;

/** What misbehaving clients may cost the control plane; most of it is what V8 has not collected yet. */
const GROWTH_BYTES_MAX = 160 * MIB;

/** How long 500 clients, all in one process, may take for a step on a busy machine. */
const FLEET_MS_MAX = 25_000;

/** Clusters that a proxy gets: three of each service, and Istio's own two at most. */
const CLUSTERS_MIN = 3 * FILLERS;

let mesh: PilotMesh;

beforeAll(async () => {
  mesh = await PilotMesh.start({ planes: findPlanes(), fillers: FILLERS });
});

afterAll(() => mesh.stop());

describe.each(VARIANTS)("clients that misbehave, %s", (variant) => {
  const probes: XdsProbe[] = [];
  let timeout = 1;

  afterEach(async () => {
    for (const probe of probes.splice(0)) probe.close();
    await until(
      async () => (await mesh.metric("pilot_xds")) === mesh.pods.size,
      "only proxies to be connected",
    );
  });

  function probe(name: string, answer?: "ack" | "nack" | "none"): XdsProbe {
    const made = new XdsProbe({ variant, name, ...(answer && { answer }) });
    probes.push(made);
    made.connect(mesh.grpcPort);
    return made;
  }

  /** Routes change, and every cluster beside them; all proxies have it when this resolves. */
  async function change(): Promise<void> {
    timeout = (timeout % 9) + 1;
    mesh.folder.write("fillers.yaml", fillerYaml(FILLERS, timeout));
    await changeRoutes();
  }

  async function changeRoutes(): Promise<void> {
    mesh.route(mesh.generation % 2 === 0 ? "v1" : "v2");
    await mesh.served();
  }

  test("one that never answers: the others go on, and it is shown as stale", async () => {
    const silent = probe("silent", "none");
    silent.follow();
    await until(() => silent.responses("route") === 1, "its routes");
    expect(silent.resources("cluster")).toBeGreaterThan(CLUSTERS_MIN);
    expect((await mesh.row("silent"))?.status).toMatchObject({ cds: "STALE", rds: "STALE" });
    for (let changes = 0; changes < 3; changes++) await change();
    // It is not flooded meanwhile: of all that changed it gets one state after the other.
    expect(silent.responses("cluster")).toBeLessThanOrEqual(4);
    expect(silent.responses("route")).toBeLessThanOrEqual(4);
    expect((await mesh.row("silent"))?.status["cds"]).toBe("STALE");
    for (const plane of mesh.pods.keys()) {
      expect((await mesh.row(plane))?.status["rds"]).toBe("SYNCED");
    }
  });

  test("one that refuses everything: its words are shown, it is not asked again and again", async () => {
    const refusing = probe("refusing", "nack");
    refusing.follow();
    await until(async () => {
      const states = Object.values((await mesh.row("refusing"))?.status ?? {});
      return states.filter((state) => state === "NACKED").length === 4;
    }, "four refusals");
    const before = await mesh.metric("pilot_total_xds_rejects");
    await changeRoutes();
    await changeRoutes();
    const row = await mesh.row("refusing");
    expect(row?.status).toMatchObject({ cds: "NACKED", lds: "NACKED" });
    expect(row?.rejections.find(({ type }) => type === "cds")?.message).toContain(
      "the probe takes no cluster",
    );
    // Neither clusters nor listeners changed: nothing to send again.
    expect([refusing.responses("cluster"), refusing.responses("listener")]).toEqual([1, 1]);
    expect(refusing.responses("route")).toBeLessThanOrEqual(3);
    const after = await mesh.metric("pilot_total_xds_rejects");
    expect(after - before).toBeLessThanOrEqual(2);
  });

  test("ones that connect and reset in a loop leave nothing behind", async () => {
    const [files, bytes] = [mesh.openFiles(), mesh.residentBytes()];
    for (let round = 0; round < 8; round++) {
      const raw = Array.from({ length: 10 }, () => connectAndReset(mesh.grpcPort));
      const streams = Array.from({ length: 5 }, (_, at) => probe(`reset-${at}`));
      for (const stream of streams) stream.follow();
      await Promise.all(raw);
      await until(() => streams.every((one) => one.bytes > 0 || one.error), "answers");
      for (const stream of streams) stream.close();
      probes.length = 0;
    }
    await changeRoutes();
    await until(() => mesh.openFiles() <= files + 2, "its sockets to be closed");
    expect(mesh.residentBytes() - bytes).toBeLessThan(GROWTH_BYTES_MAX);
  });

  test("ones that stop reading cost no more memory with every change", async () => {
    await change();
    const bytes = mesh.residentBytes();
    for (let at = 0; at < 5; at++) {
      const deaf = probe(`deaf-${at}`);
      deaf.follow();
      await until(() => deaf.responses("cluster") > 0, "its clusters");
      deaf.stopReading();
    }
    for (let changes = 0; changes < 5; changes++) await change();
    expect(mesh.residentBytes() - bytes).toBeLessThan(GROWTH_BYTES_MAX);
    expect((await mesh.row("deaf-0"))?.status["cds"]).toBe("STALE");
  });

  test("one that asks for what does not exist gets it when it does", async () => {
    const hopeful = probe("hopeful");
    const service = `late-${variant}`;
    const late = `outbound|9080||${service}.default.svc.cluster.local`;
    const names = Array.from({ length: 5000 }, (_, at) => `nothing-${at}`);
    hopeful.ask("cluster", [...names, late]);
    hopeful.ask("endpoint", [...names, late]);
    hopeful.ask("route", names);
    await changeRoutes();
    expect(hopeful.resources("cluster")).toBe(0);
    expect(hopeful.error).toBeUndefined();
    mesh.folder.write(`${service}.yaml`, fillerYaml(1).replaceAll("filler-0", service));
    await until(() => hopeful.resources("cluster") === 1, "the cluster");
    await until(() => hopeful.resources("endpoint") >= 1, "its endpoints");
  });

  test("ones that send nonsense, too much or too often are refused, or do no harm", async () => {
    const bytes = mesh.residentBytes();
    const [garbled, giant, busy] = [probe("garbled"), probe("giant"), probe("busy")];
    garbled.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
    giant.rename(RESOURCE_TYPE_URL.cluster, ["x".repeat(5 * MIB)]);
    busy.follow();
    await until(() => busy.responses("route") > 0, "its routes");
    for (let at = 0; at < 5000; at++) {
      busy.rename(RESOURCE_TYPE_URL.endpoint, [`nothing-${at}`]);
      if (at % 5 === 0) busy.rename(`type.googleapis.com/nothing.v${at}.Nothing`, ["x"]);
    }
    const texts = ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01", "\0\0\0\0\0"];
    await Promise.all(texts.map((text) => sendRaw(mesh.grpcPort, text)));
    expect((await until(() => garbled.error, "a refusal")).code).toBe(status.INVALID_ARGUMENT);
    expect((await until(() => giant.error, "a refusal")).code).toBe(status.RESOURCE_EXHAUSTED);
    await changeRoutes();
    expect(await mesh.metric("weft_xds_refused_streams", 'reason="message"')).toBe(1);
    expect(mesh.residentBytes() - bytes).toBeLessThan(GROWTH_BYTES_MAX);
  });

  test("500 that come back at once get nothing that they have", { timeout: 90_000 }, async () => {
    const names = Array.from({ length: 500 }, (_, at) => `one-of-many-${at}`);
    for (const name of names) probe(name).follow();
    await until(
      () => probes.every((one) => one.responses("route") > 0),
      "all to be served",
      FLEET_MS_MAX,
    );
    const bytes = probes.reduce((sum, one) => sum + one.bytes, 0);
    const versions = new Set(probes.map((one) => one.version("cluster")));
    expect(versions.size).toBe(1);
    await mesh.stopPilot();
    await until(() => probes.every(({ error }) => error !== undefined), "all to notice");
    mesh.startPilot();
    await mesh.pilot.grpcPort();
    await comeBack();
    mesh.route("v1");
    await mesh.served();
    await until(
      () => probes.every((one) => one.responses("route") > 1),
      "the change to reach all",
      FLEET_MS_MAX,
    );
    const again = probes.reduce((sum, one) => sum + one.bytes, 0) - bytes;
    expect(probes.filter((one) => one.responses("cluster") > 1)).toEqual([]);
    // The one route configuration that changed, and nothing of the rest.
    expect(again).toBeLessThan(bytes / 4);
    process.stdout.write(
      `500 clients, ${variant}: first ${kib(bytes)} KiB, after the restart ${kib(again)} KiB, resident ${kib(mesh.residentBytes())} KiB\n`,
    );
  });

  /** All connect at once; who is turned away tries again a little later, as proxies do. */
  async function comeBack(): Promise<void> {
    for (const one of probes) {
      one.connect(mesh.grpcPort);
      one.follow();
    }
    await until(
      async () => {
        for (const one of probes.filter(({ error }) => error !== undefined)) {
          one.connect(mesh.grpcPort);
          one.follow();
        }
        return (await mesh.metric("pilot_xds")) === probes.length + mesh.pods.size;
      },
      "all to be connected",
      FLEET_MS_MAX,
    );
  }
});

function kib(bytes: number): number {
  return Math.round(bytes / 1024);
}

/** Opens a connection and ends it by a reset, before or after the first bytes. */
function connectAndReset(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      setImmediate(() => socket.resetAndDestroy());
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
  });
}

/** Sends what is no gRPC; resolves when the server ends it, or after a moment. */
function sendRaw(port: number, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(Buffer.from(text, "latin1")));
    socket.setTimeout(500, () => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("data", () => undefined);
    socket.on("close", () => resolve());
  });
}
