import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../controlplane/until.ts";
import { httpListener, routeTable, socketAddress, staticCluster } from "./bootstrap-json.ts";
import { freePorts } from "./data-plane.ts";
import { exchangeRaw } from "./raw-exchange.ts";
import { ScriptedUpstream } from "./scripted-upstream.ts";

const weft = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin", "weft");

describe("weft proxy", () => {
  let folder: string;
  let upstream: ScriptedUpstream;
  let port: number;
  let adminPort: number;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "weft-proxy-"));
    upstream = await ScriptedUpstream.start({ "/slow": {} });
    [port = 0, adminPort = 0] = await freePorts(2);
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }
    await upstream.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function write(name: string, bootstrap: object | string): string {
    const file = join(folder, name);
    writeFileSync(file, typeof bootstrap === "string" ? bootstrap : JSON.stringify(bootstrap));
    return file;
  }

  function run(args: readonly string[]): { child: ChildProcess; output: () => string } {
    const child = spawn(process.execPath, [weft, "proxy", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
    }
    return { child, output: () => text };
  }

  function bootstrap(): object {
    const accessLog = [
      {
        name: "envoy.access_loggers.file",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
          path: join(folder, "access.log"),
          log_format: {
            text_format_source: {
              inline_string: "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%\n",
            },
          },
        },
      },
    ];
    const options = {
      route_config: routeTable([
        { match: { prefix: "/nowhere" }, route: { cluster: "nowhere" } },
        { match: { prefix: "/" }, route: { cluster: "up" } },
      ]),
      access_log: accessLog,
    };
    return {
      admin: { address: socketAddress(adminPort) },
      static_resources: {
        listeners: [httpListener("in", port, options)],
        clusters: [staticCluster("up", [upstream.port])],
      },
    };
  }

  async function whenReady(): Promise<void> {
    await until(async () => {
      const answer = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(() => undefined);
      return (await answer?.text()) === "LIVE\n";
    }, "the proxy to be ready");
  }

  async function page(path: string, method = "GET"): Promise<string> {
    return (await fetch(`http://127.0.0.1:${adminPort}${path}`, { method })).text();
  }

  const ask = (path: string) => ({
    port,
    parts: [`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`],
    answers: 1,
  });

  test("serves a bootstrap, shows what it does, and ends on SIGTERM", async () => {
    const { child, output } = run(["-c", write("b.json", bootstrap()), "-l", "warning"]);
    const exit = once(child, "exit");
    await whenReady();
    await exchangeRaw(ask("/x"));
    await exchangeRaw(ask("/nowhere"));
    expect(await page("/stats")).toContain("cluster.up.upstream_rq_total: 1\n");
    expect(await page("/stats?filter=http.in")).toContain("http.in.downstream_rq_total: 2\n");
    expect(await page("/clusters")).toContain(`up::127.0.0.1:${upstream.port}::rq_success::1\n`);
    expect(await page("/listeners")).toBe(`in::127.0.0.1:${port}\n`);
    expect(JSON.parse(await page("/clusters?format=json"))).toMatchObject({
      cluster_statuses: [{ name: "up", host_statuses: [{ weight: 1 }] }],
    });
    expect(JSON.parse(await page("/server_info"))).toMatchObject({ state: "LIVE" });
    expect(await page("/config_dump")).toContain('"stat_prefix": "in"');
    expect(await page("/nothing")).toContain("invalid path");
    const odd = exchangeRaw({
      port: adminPort,
      parts: ["GET // HTTP/1.1\r\nHost: a\r\n\r\n"],
      answers: 1,
    });
    expect((await odd).messages[0]?.line).toContain("404");
    const slow = exchangeRaw(ask("/slow"));
    await until(() => upstream.requests.length === 2, "the slow request");
    child.kill("SIGTERM");
    await until(() => isRefused(port), "the port to be closed");
    await upstream.stop();
    expect((await slow).messages[0]?.line).toContain("503");
    expect(await exit).toEqual([0, null]);
    expect(readFileSync(join(folder, "access.log"), "utf8")).toBe(
      "GET /x 200 -\nGET /nowhere 503 NC\nGET /slow 503 UC\n",
    );
    expect(output()).toBe("");
  });

  test("ends when the admin port is told to", async () => {
    const { child } = run(["-c", write("b.json", bootstrap()), "-l", "off"]);
    const exit = once(child, "exit");
    await whenReady();
    expect(await page("/quitquitquit")).toContain("POST required");
    expect(await page("/quitquitquit", "POST")).toBe("OK\n");
    expect(await exit).toEqual([0, null]);
  });

  test("checks a bootstrap without serving it", async () => {
    const good = run(["-c", write("good.json", bootstrap()), "--mode", "validate"]);
    expect(await once(good.child, "exit")).toEqual([0, null]);
    expect(good.output()).toBe(`configuration '${join(folder, "good.json")}' OK\n`);
    const bad = run(["-c", write("bad.yaml", "admin: { addres: {} }"), "--mode", "validate"]);
    expect(await once(bad.child, "exit")).toEqual([2, null]);
    expect(bad.output()).toContain("bad.yaml is refused:\n  admin.addres: no such field");
  });

  const wrong: [string, string[], string][] = [
    ["no bootstrap", [], "at least one of --config-path or --config-yaml is needed"],
    ["a file that is missing", ["-c", "/nonexistent"], "cannot read /nonexistent"],
    ["no workers", ["-c", "x", "--concurrency", "0"], "--concurrency 0 is no number from 1"],
    ["another mode", ["-c", "x", "--mode", "init_only"], "--mode init_only is neither"],
    ["an unknown flag", ["--restart-epochs", "1"], "restart-epochs"],
    [
      "a field that does not exist",
      ["--config-yaml", "static_resource: {}"],
      'static_resource: no such field in envoy.config.bootstrap.v3.Bootstrap, did you mean "static_resources"?',
    ],
  ];
  test.each(wrong)("ends with 2 and says why on %s", async (_what, args, message) => {
    const { child, output } = run(args);
    expect(await once(child, "exit")).toEqual([2, null]);
    expect(output()).toContain(message);
  });
});

function isRefused(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", () => resolve(true));
  });
}
