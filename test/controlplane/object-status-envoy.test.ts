import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createPrng } from "../../src/base/prng.ts";
import type { Condition } from "../../src/config/condition.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { MESH_KINDS } from "../../src/model/mesh.ts";
import { StorageSource } from "../../src/source/storage-source.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { createFixture, type Fixture, hasKubectl } from "../apiserver/fixture.ts";
import { findProgram } from "../programs.ts";
import { EnvoyProcess } from "./envoy-process.ts";
import { until } from "./until.ts";

const program = findProgram("envoy");

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const IP = "127.66.3.1";

/** A gateway on one port of the proxy's address. */
const gateway = (port: number): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: web, namespace: istio-system}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: ${port}, name: http, protocol: HTTP}
    hosts: ["web.test"]
`;

/** Something that has a port already, and the port. */
async function takePort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, IP, resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A port that nobody has at the moment. */
async function findPort(): Promise<number> {
  const port = await takePort();
  await closers.pop()?.();
  return port;
}

async function start(apiType: "GRPC" | "DELTA_GRPC"): Promise<Fixture> {
  const api = await createFixture();
  closers.push(() => api.close());
  const controlPlane = new ControlPlane({
    source: new StorageSource(api.storage, MESH_KINDS, nodeClock),
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: createPrng(1),
    log: silentLogger,
  });
  closers.push(() => controlPlane.stop());
  await controlPlane.start();
  const envoy = await EnvoyProcess.start({
    program: program ?? "",
    nodeId: `router~${IP}~ingress-1.istio-system~istio-system.svc.cluster.local`,
    metadata: { LABELS: { istio: "ingress" }, INTERCEPTION_MODE: "NONE" },
    adsPort: controlPlane.ports.grpc,
    apiType,
  });
  closers.push(() => envoy.stop());
  return api;
}

async function distributed(api: Fixture): Promise<Partial<Condition>> {
  const { out } = await api.kubectl(["get", "gw", "web", "-n", "istio-system", "-o", "json"]);
  const { status } = JSON.parse(out) as { status?: { conditions?: readonly Condition[] } };
  return status?.conditions?.find(({ type }) => type === "Distributed") ?? {};
}

describe.skipIf(program === undefined || !hasKubectl)("an object's status", () => {
  test.each(["GRPC", "DELTA_GRPC"] as const)(
    "has Envoy's own words on what it refuses, until that is mended (%s)",
    async (apiType) => {
      const api = await start(apiType);
      await api.kubectl(["create", "namespace", "istio-system"]);
      const taken = await takePort();
      expect((await api.kubectl(["apply", "-f", "-"], gateway(taken))).code).toBe(0);
      await until(async () => (await distributed(api)).reason === "Rejected", "the refusal");
      const refused = await distributed(api);
      expect(refused.status).toBe("False");
      expect(refused.message).toMatch(
        new RegExp(
          `^Rejected by ingress-1\\.istio-system: .*cannot bind '${IP}:${taken}': Address already in use; 0/1 proxies$`,
        ),
      );

      expect((await api.kubectl(["apply", "-f", "-"], gateway(await findPort()))).code).toBe(0);
      const args = ["wait", "--for=condition=Distributed", "gw/web", "-n", "istio-system"];
      const waited = await api.kubectl([...args, "--timeout=15s"]);
      expect(waited.out).toBe("gateway.networking.istio.io/web condition met\n");
      expect(await distributed(api)).toMatchObject({
        observedGeneration: 2,
        message: "1/1 proxies",
      });
    },
  );
});
