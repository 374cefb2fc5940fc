import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createPrng } from "../../src/base/prng.ts";
import { applyCommand } from "../../src/cli/apply.ts";
import { waitCommand } from "../../src/cli/wait.ts";
import { decodeYaml } from "../../src/config/yaml.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { serverFilePath } from "../../src/local/server-file.ts";
import { MESH_KINDS } from "../../src/model/mesh.ts";
import { StorageSource } from "../../src/source/storage-source.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { AdsClient } from "../controlplane/ads-client.ts";
import { appYaml, routeYaml } from "../controlplane/mesh-folder.ts";
import { until } from "../controlplane/until.ts";
import { type CommandResult, runCommand } from "./fake-api.ts";
import { RealApi } from "./real-api.ts";

const APP = appYaml({ v1: "127.66.0.1", v2: "127.66.0.2", port: 9080 });
const LABEL = "virtualservice.networking.istio.io/reviews";

/** A proxy that answers only when the test says so. */
class Proxy {
  readonly client: AdsClient;
  #count = 0;

  constructor(port: number, name: string) {
    this.client = new AdsClient(port);
    this.client.send({
      typeUrl: RESOURCE_TYPE_URL.route,
      resourceNames: ["http_proxy"],
      node: {
        id: `sidecar~127.66.0.9~${name}.default~default.svc.cluster.local`,
        metadata: { INTERCEPTION_MODE: "NONE" },
      },
    });
  }

  /** Answers the next response. */
  async answer(refusal?: string): Promise<void> {
    this.#count += 1;
    const { typeUrl, versionInfo, nonce } = await this.client.response("route", this.#count);
    this.client.send({
      typeUrl,
      resourceNames: ["http_proxy"],
      responseNonce: nonce,
      ...(refusal === undefined
        ? { versionInfo }
        : { errorDetail: { code: 13, message: refusal } }),
    });
  }
}

let api: RealApi;
let controlPlane: ControlPlane;
const proxies: Proxy[] = [];

beforeEach(async () => {
  api = new RealApi();
  await api.start();
  controlPlane = new ControlPlane({
    source: new StorageSource(api.storage, MESH_KINDS, nodeClock),
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: createPrng(1),
    log: silentLogger,
  });
  await controlPlane.start();
  const file = {
    pid: process.pid,
    version: "",
    apiUrl: "",
    monitoringAddr: monitoringAddr(),
    xdsAddr: "",
    kubeconfig: "",
  };
  writeFileSync(serverFilePath(api.home), JSON.stringify(file));
  await apply(`${APP}---\n${routeYaml("v1")}`);
  // Proxies that connect before it is built would get something else first.
  await until(async () => (await wait("vs/reviews")).exitCode === 0, "the mesh to be built");
});

afterEach(async () => {
  for (const { client } of proxies.splice(0)) client.close();
  await controlPlane.stop();
  await api.stop();
});

const monitoringAddr = (): string => `127.0.0.1:${controlPlane.ports.http}`;

async function apply(text: string): Promise<void> {
  for (const { object } of decodeYaml(text, "a.yaml", { defaultNamespace: "default" }).objects) {
    await api.storage.update(object).catch(() => api.storage.create(object));
  }
}

function connect(name: string): Proxy {
  const proxy = new Proxy(controlPlane.ports.grpc, name);
  proxies.push(proxy);
  return proxy;
}

const wait = (...args: readonly string[]): Promise<CommandResult> =>
  runCommand(waitCommand, args, { home: api.home });

describe("`weft apply --wait`", () => {
  const routes = (version: string): string => {
    const file = join(api.home, "routes.yaml");
    writeFileSync(file, routeYaml(version));
    return file;
  };
  const applyFiles = (...args: readonly string[]): Promise<CommandResult> =>
    runCommand(applyCommand, args, { home: api.home });

  test("ends when every proxy has acknowledged what was applied", async () => {
    const proxy = connect("a");
    await proxy.answer();
    const applied = applyFiles("-f", routes("v2"), "--wait", "--timeout", "20s");
    await proxy.answer();
    expect(await applied).toEqual({
      exitCode: 0,
      stdout: `${LABEL} configured\n${LABEL} is distributed (1/1 proxies)\n`,
      stderr: "",
    });
  });

  test("says who is behind, and who refused", async () => {
    const proxy = connect("a");
    await proxy.answer();
    const late = await applyFiles("-f", routes("v2"), "--wait", "--timeout", "300ms");
    expect(late.exitCode).toBe(124);
    expect(late.stderr).toContain("a.default: RDS STALE");
    await proxy.answer("no such thing");
    const refused = await applyFiles("-f", routes("v2"), "--wait");
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("rejected by a.default: no such thing");
  });

  test.each([
    [["--timeout", "1s"], "--timeout goes with --wait alone"],
    [["--wait", "--dry-run", "server"], "--wait waits for nothing with --dry-run"],
    [["--wait", "--timeout", "soon"], '--timeout is a time such as 30s or 2m, not "soon"'],
  ])("refuses %j", async (flags, message) => {
    const result = await applyFiles("-f", routes("v2"), ...flags);
    expect(result).toEqual({ exitCode: 2, stdout: "", stderr: `weft: ${message}\n` });
  });
});

describe("`weft wait`", () => {
  test("ends when every proxy has acknowledged the object as it is now", async () => {
    expect(await wait("vs/reviews")).toEqual({
      exitCode: 0,
      stdout: `${LABEL} is distributed: no proxy is connected\n`,
      stderr: "",
    });
    const [first, second] = [connect("a"), connect("b")];
    await first.answer();
    await second.answer();
    expect((await wait("vs", "reviews")).stdout).toBe(`${LABEL} is distributed (2/2 proxies)\n`);

    await apply(routeYaml("v2"));
    await first.answer();
    await second.client.response("route", 2);
    expect(await wait("vs/reviews", "--proxy", "a")).toMatchObject({ exitCode: 0 });
    const late = await wait("vs/reviews", "--timeout", "300ms");
    expect(late).toMatchObject({ exitCode: 124, stdout: "" });
    expect(late.stderr).toMatch(
      /^weft: timed out after 0\.3s waiting for \S+reviews: 1\/2 proxies have it\n {2}b\.default: RDS STALE since \S+Z: not acknowledged \(http_proxy\)\n$/,
    );
    const waiting = wait("vs/reviews", "--timeout", "20s");
    await second.answer();
    expect((await waiting).stdout).toBe(`${LABEL} is distributed (2/2 proxies)\n`);
  });

  test("ends at once when a proxy refuses, and forgets that with the next version", async () => {
    const proxy = connect("a");
    await proxy.answer();
    await apply(routeYaml("v2"));
    const waiting = wait("vs/reviews");
    await proxy.answer("http_proxy: I will not");
    expect(await waiting).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `weft: ${LABEL} will not be distributed, 0/1 proxies have it:\n  rejected by a.default: http_proxy: I will not\n`,
    });
    await apply(routeYaml("v1"));
    const mended = wait("vs/reviews");
    await proxy.answer();
    expect(await mended).toMatchObject({ exitCode: 0 });
    expect(await wait("vs/reviews", "--generation", "9", "--timeout", "0")).toMatchObject({
      exitCode: 124,
      stderr: expect.stringContaining("the control plane has generation 3, not 9"),
    });
  });

  test("waits until nothing is left of what was deleted", async () => {
    const proxy = connect("a");
    await proxy.answer();
    const there = await wait("--for=delete", "vs/reviews", "--timeout", "0");
    expect(there).toMatchObject({ exitCode: 124, stderr: expect.stringContaining("still there") });
    const { group, kind } = { group: "networking.istio.io", kind: "VirtualService" };
    await api.storage.delete({ group, kind, namespace: "default", name: "reviews" });
    await proxy.client.response("route", 2);
    const left = await wait("--for=delete", "vs/reviews", "--timeout", "200ms");
    expect(left.exitCode).toBe(124);
    expect(left.stderr).toContain("1 proxies still have something of it");
    await proxy.answer();
    expect(await wait("--for=delete", "vs/reviews")).toEqual({
      exitCode: 0,
      stdout: `${LABEL} is gone from all proxies\n`,
      stderr: "",
    });
  });

  test("tests conditions and fields as kubectl does", async () => {
    const proxy = connect("a");
    await proxy.answer();
    expect(await wait("--for=condition=Distributed", "vs/reviews")).toEqual({
      exitCode: 0,
      stdout: `${LABEL} condition met\n`,
      stderr: "",
    });
    await apply(routeYaml("v2"));
    const old = await wait("--for=condition=distributed=true", "vs/reviews", "--timeout", "0");
    expect(old).toMatchObject({ exitCode: 124 });
    await proxy.answer();
    expect(await wait("--for=condition=Distributed", "vs/reviews")).toMatchObject({ exitCode: 0 });
    const path = (text: string): Promise<CommandResult> =>
      wait(`--for=jsonpath=${text}`, "vs/reviews", "--timeout", "0");
    expect(await path("{.spec.hosts[0]}=reviews")).toMatchObject({ exitCode: 0 });
    expect(await path(".metadata.uid")).toMatchObject({ exitCode: 0 });
    expect((await path("{.spec.hosts[0]}=x")).stderr).toContain('{.spec.hosts[0]} is "reviews"');
  });

  test("asks a control plane without an API", async () => {
    const proxy = connect("a");
    await proxy.answer();
    const there = ["--monitoring-addr", monitoringAddr()];
    await until(async () => (await wait("vs/reviews", ...there)).exitCode === 0, "the proxy");
    const missing = await wait("vs/review", ...there);
    expect(missing).toEqual({
      exitCode: 2,
      stdout: "",
      stderr:
        'weft: the control plane has no virtualservice.networking.istio.io/review in namespace default, did you mean "reviews"?\n',
    });
  });

  test("says what is wrong with a call", async () => {
    const said = async (...args: readonly string[]): Promise<string> => {
      const { exitCode, stderr } = await wait(...args);
      expect(exitCode).toBe(2);
      return stderr;
    };
    expect(await said("vs/reveiws")).toBe(
      'weft: there is no virtualservice.networking.istio.io/reveiws in namespace default, did you mean "reviews"?\n',
    );
    expect(await said("vs")).toContain("say which virtualservice");
    expect(await said("vs/reviews", "--for=ready")).toContain("--for is distribution, delete");
    expect(await said("deploy/x")).toContain("a Deployment goes to no proxy");
    expect(await said("vs/reviews", "--timeout", "soon")).toContain("such as 30s");
    expect(await said("vs/reviews", "--monitoring-addr", "x")).toContain("no address");
    expect(await said("vs/reviews", "--monitoring-addr", "127.0.0.1:1")).toContain("answers at");
    expect(await said("--for=condition=A", "vs/reviews", "--proxy", "a")).toContain("--proxy");
  });

  test("names a proxy that is not there", async () => {
    const { exitCode, stderr } = await wait("vs/reviews", "--proxy", "nobody", "--timeout", "0");
    expect(exitCode).toBe(124);
    expect(stderr).toContain("proxy nobody.default is not connected");
  });
});
