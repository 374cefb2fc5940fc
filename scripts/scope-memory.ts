/**
 * What automatic scope saves: resident memory of a sidecar that calls three services, in meshes of
 * different sizes, with automatic scope and without, for weft's proxy and for Envoy where it is.
 *
 *     npm run scope-memory -- [SERVICES...]      (default 100 2000)
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeClock } from "../src/base/node-clock.ts";
import { nodePrng } from "../src/base/node-prng.ts";
import { ControlPlane } from "../src/controlplane/control-plane.ts";
import { silentLogger } from "../src/telemetry/log.ts";
import { ProxyProcess } from "../test/behaviour/proxy-process.ts";
import { until } from "../test/controlplane/until.ts";
import { get, startUpstream, type Upstream } from "../test/controlplane/upstream.ts";
import { sidecarConfig } from "../test/faults/sidecar-config.ts";
import { TextSource } from "../test/faults/text-source.ts";
import { findProgram } from "../test/programs.ts";

const SIZES_DEFAULT = [100, 2000];
const ENDPOINTS = 4;
const CALLED = 3;
const CALLS = 50;
const POD_IP = "127.83.9.9";
const PROXY_PORT = 15_002;
const READY_MS_MAX = 120_000;
/** A proxy frees what it needed while it read its configuration. */
const SETTLE_MS = 5000;

/** A mesh of services that all lead to one app, with two subsets and two rules each. */
function world(size: number, port: number, isAutomatic: boolean): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const label = `labels: { weft.dev/automatic-scope: "${isAutomatic}" }`;
  texts.set("namespace", `apiVersion: v1\nkind: Namespace\nmetadata: { name: default, ${label} }`);
  for (let index = 0; index < size; index++) {
    const name = `s${index}`;
    const metadata = `metadata: { name: ${name}, namespace: default`;
    const istio = "apiVersion: networking.istio.io/v1\n";
    const subsets = "[{ name: a, labels: { version: a } }, { name: b, labels: { version: b } }]";
    const route = `route: [{ destination: { host: ${name} } }]`;
    const addresses = Array.from({ length: ENDPOINTS }, () => `{ addresses: [127.0.0.1] }`);
    texts.set(
      `service ${name}`,
      `apiVersion: v1\nkind: Service\n${metadata} }\nspec: { clusterIP: None, selector: { app: ${name} }, ports: [{ name: http, port: 80 }] }`,
    );
    texts.set(
      `slice ${name}`,
      `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n${metadata}, labels: { kubernetes.io/service-name: ${name} } }\naddressType: IPv4\nports: [{ name: http, port: ${port} }]\nendpoints: [${addresses.join(", ")}]`,
    );
    texts.set(
      `rule ${name}`,
      `${istio}kind: DestinationRule\n${metadata} }\nspec: { host: ${name}, subsets: ${subsets} }`,
    );
    texts.set(
      `routes ${name}`,
      `${istio}kind: VirtualService\n${metadata} }\nspec: { hosts: [${name}], http: [{ match: [{ uri: { prefix: /a } }], ${route} }, { ${route} }] }`,
    );
  }
  return texts;
}

function residentMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kb) / 1024;
}

interface Case {
  readonly envoy: string | undefined;
  readonly size: number;
  readonly isAutomatic: boolean;
}

async function measure({ envoy, size, isAutomatic }: Case, upstream: Upstream): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-scope-memory-"));
  const source = new TextSource();
  source.replace(world(size, upstream.port, isAutomatic));
  const controlPlane = new ControlPlane({
    source,
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: nodePrng,
    log: silentLogger,
  });
  await controlPlane.start();
  let proxy: ProxyProcess | undefined;
  try {
    const discoveryAddress = `127.0.0.1:${controlPlane.ports.grpc}`;
    const spec = { name: "shop", ip: POD_IP, envoy, discoveryAddress, folder };
    const config = sidecarConfig(spec);
    proxy = await ProxyProcess.start({ envoy, folder, config, variant: "delta" });
    const call = (index: number): Promise<string> =>
      get(PROXY_PORT, { address: POD_IP, host: `s${index}` });
    for (let index = 0; index < CALLED; index++) {
      await until(async () => (await call(index)) === "200 app", `s${index}`, READY_MS_MAX);
      for (let times = 0; times < CALLS; times++) await call(index);
    }
    await nodeClock.sleep(SETTLE_MS);
    return residentMb(proxy.pid);
  } finally {
    await proxy?.stop();
    await controlPlane.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const given = process.argv.slice(2).map(Number);
  const sizes = given.length === 0 ? SIZES_DEFAULT : given;
  if (sizes.some((size) => !Number.isInteger(size) || size < CALLED)) {
    throw new Error(`usage: npm run scope-memory -- [SERVICES...], each at least ${CALLED}`);
  }
  const envoy = findProgram("envoy");
  const upstream = await startUpstream("app");
  try {
    for (const plane of envoy === undefined ? [undefined] : [undefined, envoy]) {
      for (const isAutomatic of [false, true]) {
        for (const size of sizes) {
          const mb = await measure({ envoy: plane, size, isAutomatic }, upstream);
          const name = plane === undefined ? "weft's proxy" : "Envoy";
          const scope = isAutomatic ? "automatic scope" : "whole mesh";
          process.stdout.write(`${name}, ${scope}, ${size} services: ${mb.toFixed(1)} MB\n`);
        }
      }
    }
  } finally {
    await upstream.close();
  }
}

await main();
