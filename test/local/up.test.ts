import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readServerFile } from "../../src/local/server-file.ts";
import { until } from "../controlplane/until.ts";
import {
  createHome,
  FREE_PORTS,
  listenersOf,
  processesOf,
  removeHome,
  runWeft,
  statusOf,
  WeftUp,
} from "./mesh-processes.ts";

let home: string;
const started: WeftUp[] = [];

function up(...args: readonly string[]): WeftUp {
  const server = new WeftUp(home, [...FREE_PORTS, ...args]);
  started.push(server);
  return server;
}

beforeEach(() => {
  home = createHome();
});
afterEach(async () => {
  for (const server of started.splice(0)) server.signal("SIGTERM");
  await runWeft(["down", "--home", home]);
  removeHome(home);
});

describe("`weft up`", () => {
  it("says where to go, and leaves nothing after Ctrl-C", async () => {
    const server = up("--demo");
    const file = await server.untilUp();
    expect(server.stderr).toContain(`open        ${file.gatewayUrl}/productpage`);
    expect(server.stderr).toContain(`export KUBECONFIG=${join(home, "kubeconfig")}`);
    expect(server.stderr).toContain("plain text");
    expect(server.stderr).not.toContain("✔");
    expect(await statusOf(`${file.gatewayUrl}/productpage`)).toBe(200);
    for (const secret of ["kubeconfig", "api-credentials.json", "server.json"]) {
      expect((statSync(join(home, secret)).mode & 0o777).toString(8)).toBe("600");
    }
    expect((statSync(home).mode & 0o777).toString(8)).toBe("700");
    expect(await server.end("SIGINT")).toBe(0);
    expect(processesOf(home)).toEqual([]);
    expect(listenersOf(file.podCidr)).toEqual([]);
    expect(existsSync(join(home, "server.json"))).toBe(false);
  });

  it("says that it is running when it is called again, also with other flags", async () => {
    const server = up();
    const file = await server.untilUp();
    const same = await runWeft(["up", "--home", home, ...FREE_PORTS]);
    expect(same).toMatchObject({ exitCode: 0, stdout: "" });
    expect(same.stderr).toContain(`already running (pid ${server.pid})`);
    expect(same.stderr).toContain(file.apiUrl);
    expect(same.stderr).not.toContain("other flags");
    const other = await runWeft([
      "up",
      "--home",
      home,
      ...FREE_PORTS,
      "--pod-cidr",
      "127.9.0.0/16",
    ]);
    expect(other.exitCode).toBe(0);
    expect(other.stderr).toContain("other flags");
    const status = await runWeft(["status", "--home", home]);
    expect(status.exitCode).toBe(0);
    expect(status.stdout).toContain("plain text");
    const down = await runWeft(["down", "--home", home]);
    expect(down).toMatchObject({ exitCode: 0 });
    expect(await server.ended).toBe(0);
  });

  it("cleans up after a server that was killed, and starts", async () => {
    const first = up("--demo");
    const { podCidr } = await first.untilUp();
    const left = processesOf(home);
    await first.end("SIGKILL");
    expect(processesOf(home)).toEqual(left);
    const second = up();
    const file = await second.untilUp();
    expect(second.stderr).toContain("that an earlier server had left running");
    expect(file.podCidr).toBe(podCidr);
    expect(processesOf(home).filter((one) => left.includes(one))).toEqual([]);
    expect(await statusOf(`${file.gatewayUrl}/productpage`)).toBe(200);
    await second.end("SIGTERM");
  });

  it("is cleaned up by `weft down` when it was killed", async () => {
    const server = up("--demo");
    await server.untilUp();
    await server.end("SIGKILL");
    const down = await runWeft(["down", "--home", home]);
    expect(down.exitCode).toBe(0);
    expect(down.stderr).toMatch(/had died; ended 13 processes/);
    expect(processesOf(home)).toEqual([]);
  });

  it("kills everything at once when Ctrl-C is pressed twice", async () => {
    const server = up("--demo");
    const file = await server.untilUp();
    server.signal("SIGINT");
    server.signal("SIGTERM");
    await server.ended;
    expect(processesOf(home)).toEqual([]);
    expect(listenersOf(file.podCidr)).toEqual([]);
  });

  it("stops in order when its terminal is closed", async () => {
    const server = up("--demo");
    const file = await server.untilUp();
    expect(await server.end("SIGHUP")).toBe(0);
    expect(server.stderr).toContain("stopped");
    expect(processesOf(home)).toEqual([]);
    expect(listenersOf(file.podCidr)).toEqual([]);
  });

  it("goes on when nobody reads what it says", async () => {
    const server = up();
    await until(() => server.stderr.includes("\n"), "the first line");
    server.stopReading();
    const file = await until(() => readServerFile(home), "the mesh to have started");
    expect(await statusOf(`http://${file.monitoringAddr}/ready`)).toBe(200);
    expect(await server.end("SIGTERM")).toBe(0);
    expect(processesOf(home)).toEqual([]);
  });

  it.each(["http", "api", "xds", "monitoring"])(
    "names a taken %s port, who has it, and how to move it",
    async (name) => {
      const holder = createServer();
      await new Promise<void>((done) => holder.listen(0, "127.0.0.1", done));
      const address = holder.address();
      const port = typeof address === "object" && address !== null ? String(address.port) : "";
      const args = FREE_PORTS.map((arg, at) =>
        FREE_PORTS[at - 1] === `--${name}-port` ? port : arg,
      );
      const result = await runWeft(["up", "--home", home, ...args]);
      await new Promise((done) => holder.close(done));
      expect(result.exitCode).toBe(2);
      expect(result.stderr).toContain(`port ${port} is taken by process ${process.pid}`);
      expect(result.stderr).toContain(`--${name}-port`);
      expect(existsSync(home) ? readdirSync(home) : []).toEqual([]);
    },
  );

  it("says how to get an Envoy when there is none", async () => {
    const before = process.env["ENVOY_PATH"];
    process.env["ENVOY_PATH"] = join(home, "no-envoy");
    const result = await runWeft(["up", "--home", home, ...FREE_PORTS, "--proxy", "envoy"]);
    if (before === undefined) delete process.env["ENVOY_PATH"];
    else process.env["ENVOY_PATH"] = before;
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain("ENVOY_PATH");
  });

  it("shows a sidecar whose Envoy ends, and starts it again later and later", async () => {
    const fake = join(home, "envoy");
    writeFileSync(fake, "#!/bin/sh\necho no such option >&2\nexit 3\n", { mode: 0o755 });
    const server = new WeftUp(home, [...FREE_PORTS, "--proxy", "envoy"], { envoyPath: fake });
    started.push(server);
    const status = await until(async () => {
      const { stdout } = await runWeft(["status", "--home", home]);
      return stdout.includes("CrashLoopBackOff") && stdout;
    }, "the sidecar's failures to show");
    expect(status).toMatch(/istio-proxy: CrashLoopBackOff: .*; it ended with 2: no such option/);
    expect(await server.end("SIGTERM")).toBe(0);
    expect(processesOf(home)).toEqual([]);
  });

  it.each(["/proc/weft", "/dev/null", "/dev/null/weft", `/tmp/${"x".repeat(300)}`])(
    "says that it cannot keep a mesh in %s",
    async (folder) => {
      const result = await runWeft(["up", "--home", folder, ...FREE_PORTS]);
      expect(result.exitCode).toBe(2);
      expect(result.stderr).toContain(`weft: cannot keep a mesh in ${folder} (`);
      expect(result.stderr).toContain("--home or WEFT_HOME");
    },
  );

  it.each([
    [["--proxy", "nginx"], '--proxy is weft or envoy, not "nginx"'],
    [["--http-port", "x"], '--http-port is a number from 0, not "x"'],
    [["--pod-cidr", "10.0.0.0/16"], "must be a /16 of 127.0.0.0/8"],
    [["--catalogue", "/nowhere.yaml"], "no such file: /nowhere.yaml (--catalogue)"],
    [["--dmo"], 'unknown flag "--dmo", did you mean "--demo"?'],
  ])("refuses %j", async (args, message) => {
    const result = await runWeft(["up", "--home", home, ...FREE_PORTS, ...args]);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(message);
  });
});

describe("`npm start`", () => {
  function start(): WeftUp {
    const server = new WeftUp(home, FREE_PORTS, { npm: true });
    started.push(server);
    return server;
  }

  it("leaves nothing when only npm is told to end", async () => {
    const server = start();
    const file = await server.untilUp();
    await server.end("SIGTERM");
    await until(() => readServerFile(home) === undefined, "the mesh to have stopped");
    expect(processesOf(home)).toEqual([]);
    expect(listenersOf(file.podCidr)).toEqual([]);
  });

  it("stops in order at a Ctrl-C, which npm passes on once more", async () => {
    const server = start();
    await server.untilUp();
    server.signalGroup("SIGINT");
    expect(await server.ended).toBe(0);
    expect(server.stderr).toContain("stopped");
    expect(server.stderr).not.toContain("at once");
    expect(processesOf(home)).toEqual([]);
  });
});
