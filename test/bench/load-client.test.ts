/** What the bench's simulated sidecars say and read is held against protobuf's own reading of the same bytes. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { afterEach, describe, expect, test } from "vitest";
import {
  deltaRequest,
  nameFields,
  readResources,
  readResponse,
  sotwRequest,
  VARIANTS,
} from "../../bench/control-plane/discovery-wire.ts";
import {
  baseFiles,
  FOLDERS,
  firstFiles,
  type ObjectFile,
  SERVICE_FORMS,
  type ServiceForm,
  WRITES,
  writeOf,
} from "../../bench/control-plane/mesh-objects.ts";
import { SidecarClient } from "../../bench/control-plane/sidecar-client.ts";
import {
  Cluster_DiscoveryType,
  ClusterSchema,
} from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../../src/api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../../src/api/type-url.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { nodePrng } from "../../src/base/node-prng.ts";
import { ControlPlane } from "../../src/controlplane/control-plane.ts";
import { FolderSource } from "../../src/source/folder-source.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { until } from "../controlplane/until.ts";

const closing: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

function edsCluster(name: string, serviceName = ""): Any {
  const cluster = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { serviceName },
  });
  return anyPack(ClusterSchema, cluster);
}

describe("the messages of a simulated sidecar", () => {
  test("are what protobuf reads", () => {
    const names = ["a", "b"];
    const sotw = { kind: "endpoint", version: "1", nonce: "n", names: nameFields(names) } as const;
    expect(fromBinary(DiscoveryRequestSchema, sotwRequest(sotw))).toMatchObject({
      versionInfo: "1",
      resourceNames: names,
      typeUrl: RESOURCE_TYPE_URL.endpoint,
      responseNonce: "n",
    });
    const subscribe = nameFields(names);
    const delta = { kind: "route", nonce: "n", subscribe, unsubscribe: ["c"] } as const;
    expect(fromBinary(DeltaDiscoveryRequestSchema, deltaRequest(delta))).toMatchObject({
      typeUrl: RESOURCE_TYPE_URL.route,
      resourceNamesSubscribe: names,
      resourceNamesUnsubscribe: ["c"],
      responseNonce: "n",
    });
  });

  test("read what protobuf writes, and know again what has not changed", () => {
    const response = (...resources: Any[]): Buffer => {
      const message = create(DiscoveryResponseSchema, {
        versionInfo: "7",
        nonce: "n7",
        typeUrl: RESOURCE_TYPE_URL.cluster,
        resources,
      });
      return Buffer.from(toBinary(DiscoveryResponseSchema, message));
    };
    const first = readResponse("sotw", response(edsCluster("a"), edsCluster("b", "of-b")));
    expect(first).toMatchObject({ kind: "cluster", version: "7", nonce: "n7", removed: [] });
    const before = readResources("sotw", "cluster", first.resources, undefined);
    expect(before.found).toEqual([
      { name: "a", asksFor: ["a"] },
      { name: "b", asksFor: ["of-b"] },
    ]);
    const next = readResponse("sotw", response(edsCluster("new"), edsCluster("b", "of-b")));
    const after = readResources("sotw", "cluster", next.resources, before);
    expect(after.found.map(({ name }) => name)).toEqual(["new", "b"]);
    expect(after.found[1]).toBe(before.found[1]);
  });

  test("read what delta takes away", () => {
    const message = create(DeltaDiscoveryResponseSchema, {
      nonce: "n",
      typeUrl: RESOURCE_TYPE_URL.cluster,
      resources: [{ name: "a", version: "1", resource: edsCluster("a") }],
      removedResources: ["gone"],
    });
    const bytes = Buffer.from(toBinary(DeltaDiscoveryResponseSchema, message));
    const read = readResponse("delta", bytes);
    expect(read.removed).toEqual(["gone"]);
    const { found } = readResources("delta", "cluster", read.resources, undefined);
    expect(found).toEqual([{ name: "a", asksFor: ["a"] }]);
  });
});

interface Running {
  readonly port: number;
  readonly write: (file: ObjectFile) => void;
}

async function startControlPlane(form: ServiceForm): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-test-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const write = ({ name, text }: ObjectFile): void => {
    writeFileSync(join(folder, "next"), text);
    renameSync(join(folder, "next"), join(folder, "objects", name));
  };
  for (const each of FOLDERS) mkdirSync(join(folder, "objects", each), { recursive: true });
  for (const file of [...baseFiles(8, form), ...firstFiles(form)]) write(file);
  const controlPlane = new ControlPlane({
    source: new FolderSource({ folder: join(folder, "objects"), clock: nodeClock }),
    grpcAddr: "127.0.0.1:0",
    httpAddr: "127.0.0.1:0",
    clock: nodeClock,
    prng: nodePrng,
    log: silentLogger,
  });
  closing.push(() => controlPlane.stop());
  await controlPlane.start();
  const problems = controlPlane
    .status()
    .findings.filter(({ issue }) => issue.severity !== "warning");
  expect(problems).toEqual([]);
  return { port: controlPlane.ports.grpc, write };
}

describe.each(SERVICE_FORMS)("simulated sidecars of a mesh of %s", (form) => {
  test.each(VARIANTS)("get everything and see each kind of write, %s", async (variant) => {
    const { port, write } = await startControlPlane(form);
    const ready = new Set<number>();
    const marked = new Set<number>();
    const failures: string[] = [];
    const clients = [0, 1, 2].map((index) => {
      return new SidecarClient({
        port,
        variant,
        index,
        onReady: () => ready.add(index),
        onMark: () => marked.add(index),
        onRetry: () => failures.push("turned away"),
        onFailed: (reason) => failures.push(reason),
      });
    });
    closing.push(() => {
      for (const client of clients) client.close();
    });
    await until(() => ready.size === clients.length, "the first configuration");
    for (const kind of WRITES) {
      for (const turn of [1, 2]) {
        marked.clear();
        const { mark, ...file } = writeOf(kind, form, turn);
        for (const client of clients) client.await(mark);
        write(file);
        await until(() => marked.size === clients.length, `${kind} ${turn}`);
      }
    }
    expect(failures).toEqual([]);
    for (const { bytesReceived } of clients) expect(bytesReceived).toBeGreaterThan(10_000);
  });
});
