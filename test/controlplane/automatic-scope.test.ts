import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { ProxyProcess } from "../behaviour/proxy-process.ts";
import { sidecarConfig } from "../faults/sidecar-config.ts";
import { TextSource } from "../faults/text-source.ts";
import { findProgram } from "../programs.ts";
import { until } from "./until.ts";
import { get, Load, startUpstream, type Upstream } from "./upstream.ts";

const envoyProgram = findProgram("envoy");
const PLANES = [
  { plane: "Envoy", program: envoyProgram, isThere: envoyProgram !== undefined },
  { plane: "weft's proxy", program: undefined, isThere: true },
];

/** Where the sidecar's explicit proxy listens. */
const POD_IP = "127.83.7.9";
const PROXY_PORT = 15_002;
const ADMIN_PORT = 15_000;
const SERVICES = 30;

const ASKING = `apiVersion: v1
kind: Namespace
metadata: { name: default, labels: { weft.dev/automatic-scope: "true" } }`;

type World = ReadonlyMap<string, string>;

function service(name: string, port: number): World {
  const metadata = `namespace: default, labels: { kubernetes.io/service-name: ${name} }`;
  return new Map([
    [
      `service ${name}`,
      `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec: { clusterIP: None, selector: { app: ${name} }, ports: [{ name: http, port: 80 }] }`,
    ],
    [
      `slice ${name}`,
      `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, ${metadata} }
addressType: IPv4
ports: [{ name: http, port: ${port} }]
endpoints: [{ addresses: [127.0.0.1] }]`,
    ],
  ]);
}

/** Sends what is meant for one service to another. */
function rule(from: string, to: string): World {
  return new Map([
    [
      `rule ${from}`,
      `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${from}, namespace: default }
spec: { hosts: [${from}], http: [{ route: [{ destination: { host: ${to} } }] }] }`,
    ],
  ]);
}

describe.each(PLANES.filter(({ isThere }) => isThere))(
  "automatic scope and $plane",
  ({ program }) => {
    let folder: string;
    let upstreams: readonly Upstream[];
    let source: TextSource;
    let controlPlane: ControlPlane;
    let proxy: ProxyProcess;

    beforeAll(async () => {
      upstreams = await Promise.all(["a", "b"].map((name) => startUpstream(name)));
    });

    afterAll(async () => {
      await Promise.all(upstreams.map((one) => one.close()));
    });

    /** Services named `s0` and so on; the even ones are `a`, the odd ones `b`. */
    function world(...more: readonly World[]): World {
      const services = Array.from({ length: SERVICES }, (_, index) =>
        service(`s${index}`, upstreams[index % 2]?.port ?? 0),
      );
      return new Map([["namespace", ASKING], ...[...services, ...more].flatMap((one) => [...one])]);
    }

    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), "weft-scope-"));
      source = new TextSource();
      source.replace(world());
      controlPlane = createControlPlane("127.0.0.1:0");
      await controlPlane.start();
      const discoveryAddress = `127.0.0.1:${controlPlane.ports.grpc}`;
      const spec = { name: "shop", ip: POD_IP, envoy: program, discoveryAddress, folder };
      proxy = await ProxyProcess.start({
        envoy: program,
        folder,
        config: sidecarConfig(spec),
        variant: "delta",
      });
      await until(async () => !(await call("nobody")).includes("ECONN"), "the explicit proxy");
    });

    afterEach(async () => {
      await proxy.stop();
      await controlPlane.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    function createControlPlane(grpcAddr: string): ControlPlane {
      return new ControlPlane({
        source,
        grpcAddr,
        httpAddr: "127.0.0.1:0",
        clock: nodeClock,
        prng: nodePrng,
        log: silentLogger,
        calledHostsFile: join(folder, "called.json"),
      });
    }

    const call = (host: string): Promise<string> => get(PROXY_PORT, { address: POD_IP, host });

    /** The clusters of services that Envoy has. */
    async function clusters(): Promise<readonly string[]> {
      const text = await (await fetch(`http://${POD_IP}:${ADMIN_PORT}/clusters`)).text();
      return [...new Set(text.match(/^outbound\|\d+\|\|\w+/gm))].sort();
    }

    test("the first call to each service works, and only what was called is there", async () => {
      expect(await clusters()).toEqual([]);
      expect(await call("s0")).toBe("200 a");
      expect(await call("s1.default:80")).toBe("200 b");
      expect(await call("s0")).toBe("200 a");
      expect(await clusters()).toEqual(["outbound|80||s0", "outbound|80||s1"]);
    });

    test("many first calls at once each come to their service", async () => {
      const hosts = Array.from({ length: SERVICES }, (_, index) => `s${index}`);
      const answers = await Promise.all([...hosts, ...hosts].map(call));
      const expected = hosts.map((_, index) => `200 ${index % 2 === 0 ? "a" : "b"}`);
      expect(answers).toEqual([...expected, ...expected]);
      expect(await clusters()).toHaveLength(SERVICES);
    });

    test("an unknown host is answered as ever, and found once its service is there", async () => {
      expect(await call("later")).toMatch(/^502 /);
      expect(await clusters()).toEqual([]);
      source.replace(world(service("later", upstreams[1]?.port ?? 0)));
      await until(async () => (await call("later")) === "200 b", "the service");
    });

    test("a rule of a called service brings what it leads to before it counts", async () => {
      expect(await call("s0")).toBe("200 a");
      const load = new Load((agent) => get(PROXY_PORT, { address: POD_IP, host: "s0", agent }), 2);
      for (const target of ["s1", "s2", "s3"]) {
        source.replace(world(rule("s0", target)));
        await until(async () => (await clusters()).join() === `outbound|80||${target}`, target);
      }
      await load.stop();
      expect([...load.answers.keys()].sort()).toEqual(["200 a", "200 b"]);
      expect(await call("s0")).toBe("200 b");
    });

    test("a control plane that comes back takes nothing away under traffic", async () => {
      expect(await call("s0")).toBe("200 a");
      const load = new Load((agent) => get(PROXY_PORT, { address: POD_IP, host: "s0", agent }), 2);
      const addr = `127.0.0.1:${controlPlane.ports.grpc}`;
      await controlPlane.stop();
      controlPlane = createControlPlane(addr);
      await controlPlane.start();
      await until(
        () => controlPlane.status().proxies.length === 1,
        "the proxy to come back",
        30_000,
      );
      expect(await call("s1")).toBe("200 b");
      await load.stop();
      expect([...load.answers.keys()]).toEqual(["200 a"]);
      expect(await call("nobody")).toMatch(/^502 /);
      expect(await clusters()).toEqual(["outbound|80||s0", "outbound|80||s1"]);
    });
  },
);
