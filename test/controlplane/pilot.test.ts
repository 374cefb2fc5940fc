import { once } from "node:events";
import type { Agent } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { EnvoyProcess } from "./envoy-process.ts";
import { MeshFolder, routeYaml } from "./mesh-folder.ts";
import { PilotProcess } from "./pilot-process.ts";
import { until } from "./until.ts";
import { get, Load, startUpstream, type Upstream } from "./upstream.ts";

const program = findProgram("envoy");
const CONNECTIONS = 4;
const CHANGES = 20;

/** A part of 127.0.0.0/8 that no other test process of this machine uses. */
const subnet = `127.${100 + (process.pid % 100)}.${(process.pid >> 7) % 256}`;
const CLIENT = `${subnet}.5`;

interface SyncRow {
  readonly proxy: string;
  readonly proxy_type: string;
  readonly cluster_sent: string;
  readonly cluster_acked: string;
  readonly status: Record<string, string>;
}

let upstreams: Upstream[];
let folder: MeshFolder;
let pilot: PilotProcess;

beforeEach(async () => {
  const v1 = await startUpstream("v1", `${subnet}.11`);
  upstreams = [v1, await startUpstream("v2", `${subnet}.12`, v1.port)];
  folder = new MeshFolder({ v1: `${subnet}.11`, v2: `${subnet}.12`, port: v1.port });
  pilot = start();
});

afterEach(async () => {
  await pilot.stop("SIGKILL");
  for (const upstream of upstreams) await upstream.close();
  folder.remove();
});

function start(grpcPort = 0, flags: readonly string[] = []): PilotProcess {
  return new PilotProcess([
    "--config-dir",
    folder.path,
    "--home",
    folder.home,
    "--grpc-addr",
    `127.0.0.1:${grpcPort}`,
    "--http-addr",
    "127.0.0.1:0",
    ...flags,
  ]);
}

describe("weft pilot", () => {
  test("serves its pages and ends in order", async () => {
    expect(await pilot.get("/ready")).toBe("ready\n");
    expect(JSON.parse(await pilot.get("/debug/syncz"))).toEqual([]);
    expect(await pilot.get("/debug/registryz")).toContain("reviews.default.svc.cluster.local");
    expect(await pilot.get("/debug/configz")).toContain("VirtualService");
    expect(await pilot.get("/metrics")).toContain("pilot_services 1\n");
    expect(await pilot.get("/nowhere")).toContain("/debug/syncz");
    expect(await pilot.stop()).toBe(0);
    expect(pilot.stdout).toBe("");
  });

  test("notices a peer that says nothing as soon as it is told to", async () => {
    const watchful = start(0, ["--keepaliveInterval", "1s", "--keepaliveTimeout", "1s"]);
    try {
      const silent = connect({ host: "127.0.0.1", port: await watchful.grpcPort() });
      const closed = new Promise((resolve) => silent.once("close", () => resolve("closed")));
      // An HTTP/2 connection with empty settings, whose peer answers no PING.
      silent.write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0", "latin1"));
      silent.resume();
      expect(await closed).toBe("closed");
    } finally {
      await watchful.stop("SIGKILL");
    }
  });

  test("has a proxy connect anew when its connection is as old as one may get", async () => {
    const fickle = start(0, ["--keepaliveMaxServerConnectionAge", "1s"]);
    try {
      const session = connectHttp2(`http://127.0.0.1:${await fickle.grpcPort()}`);
      session.on("error", () => undefined);
      const [code] = await once(session, "goaway");
      expect(code).toBe(constants.NGHTTP2_NO_ERROR);
      if (!session.closed) await once(session, "close");
    } finally {
      await fickle.stop("SIGKILL");
    }
  });

  test("refuses a keep-alive that is no time", async () => {
    const refused = start(0, ["--keepaliveTimeout", "5"]);
    expect(await refused.exit).toBe(2);
    expect(refused.stderr).toBe(
      'weft: --keepaliveTimeout is a time from 1s such as 10s or 1m, not "5"\n',
    );
  });

  test("names a taken port and the flag", async () => {
    const port = await pilot.grpcPort();
    const second = start(port);
    expect(await second.exit).toBe(2);
    expect(second.stderr).toBe(
      `weft: cannot listen on 127.0.0.1:${port}: another program has it; choose another with --grpc-addr\n`,
    );
  });

  test("says what is wrong with file, line, object and path, and what is mended", async () => {
    await pilot.grpcPort();
    folder.write("routes.yaml", routeYaml("v1", "rout"));
    const [line] = await pilot.says(
      /routes\.yaml:8: VirtualService\/default\/reviews: spec\.http\[0\]\.rout: unknown field "rout", did you mean "route"/,
    );
    expect(line).not.toContain("Warning");
    folder.route("v3");
    await pilot.says(/Resolved: .*unknown field "rout"/);
    await pilot.says(
      /Warning: .*routes\.yaml:1: VirtualService\/default\/reviews: spec\.http\[0\]\.route\[0\]\.destination\.subset: .*"v3"/,
    );
  });
});

describe.skipIf(program === undefined)("weft pilot and Envoy", () => {
  let envoy: EnvoyProcess;

  beforeEach(async () => {
    envoy = await EnvoyProcess.start({
      program: program ?? "",
      nodeId: `sidecar~${CLIENT}~client.default~default.svc.cluster.local`,
      metadata: { INTERCEPTION_MODE: "NONE", NAMESPACE: "default", CLUSTER_ID: "Kubernetes" },
      adsPort: await pilot.grpcPort(),
    });
    await answers("200 v1");
  });

  afterEach(async () => {
    await envoy.stop();
  });

  const ask = (agent?: Agent): Promise<string> =>
    get(15002, { address: CLIENT, host: "reviews:9080", ...(agent && { agent }) });

  const answers = (text: string): Promise<boolean> =>
    until(async () => (await ask()) === text, `the answer ${text}`);

  async function row(): Promise<SyncRow | undefined> {
    const [first] = JSON.parse(await pilot.get("/debug/syncz")) as SyncRow[];
    return first;
  }

  const synced = (): Promise<boolean> =>
    until(async () => {
      const states = Object.values((await row())?.status ?? { none: "" });
      return states.every((state) => state === "SYNCED");
    }, "everything to be acknowledged");

  test("a file that changes moves traffic, and no request fails", async () => {
    const load = new Load((agent) => ask(agent), CONNECTIONS);
    for (let change = 1; change <= CHANGES; change++) {
      const version = change % 2 === 0 ? "v1" : "v2";
      folder.route(version);
      await answers(`200 ${version}`);
    }
    await load.stop();
    expect([...load.answers.keys()].sort()).toEqual(["200 v1", "200 v2"]);
    await synced();
    expect(await row()).toMatchObject({ proxy: "client.default", proxy_type: "sidecar" });
    expect(await pilot.get("/debug/config_dump?proxyID=client.default")).toContain(
      "outbound|9080|v2|reviews.default.svc.cluster.local",
    );
  });

  test("a file that breaks changes nothing, also over a restart", async () => {
    folder.route("v2");
    await answers("200 v2");
    folder.write("routes.yaml", "apiVersion: [");
    await pilot.says(/routes\.yaml:1: /);
    await synced();
    expect(await ask()).toBe("200 v2");

    const port = await pilot.grpcPort();
    await pilot.stop("SIGKILL");
    expect(await ask()).toBe("200 v2");
    pilot = start(port);
    await pilot.says(/routes\.yaml:1: /);
    await until(async () => (await row()) !== undefined, "Envoy to come back");
    await synced();
    expect(await ask()).toBe("200 v2");
    folder.route("v1");
    await answers("200 v1");
  });

  test("one broken object does not hold back another file's change", async () => {
    folder.write("bad.yaml", routeYaml("v1", "rout").replace("name: reviews", "name: other"));
    await pilot.says(/VirtualService\/default\/other/);
    folder.route("v2");
    await answers("200 v2");
    expect(await ask()).toBe("200 v2");
  });
});
