/** What listeners tell of requests, and to whom: weft's and istiod's, from the same objects. */
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { decodeObject } from "../../src/config/decode.ts";
import type { KubeObject } from "../../src/config/object.ts";
import { buildMesh } from "../../src/model/mesh.ts";
import { decodeProxyNode } from "../../src/model/proxy-node.ts";
import { buildProxyView } from "../../src/model/proxy-view.ts";
import { viewOf } from "../../src/store/config-store.ts";
import { buildSnapshot } from "../../src/xds/build-snapshot.ts";
import { AdsClient } from "../controlplane/ads-client.ts";
import { findProgram } from "../programs.ts";
import { LOGGING_CASES, meshOf, objectsOf, type TelemetryCase, TRACING_CASES } from "./cases.ts";
import { Istiod } from "./istiod.ts";
import { toldBy } from "./told-by.ts";

const program = findProgram("istiod");

/** The proxies of every case. */
const PROXIES = ["sidecar", "router"].map((type) => ({
  id: `${type}~10.1.0.1~a-1.shop~shop.svc.cluster.local`,
  cluster: "a.shop",
  metadata: {
    NAMESPACE: "shop",
    CLUSTER_ID: "c1",
    ISTIO_VERSION: "1.31.0",
    INTERCEPTION_MODE: "REDIRECT",
    WORKLOAD_NAME: "a-deployment",
    LABELS: {
      app: type === "router" ? "gateway" : "a",
      version: "v1",
      "service.istio.io/canonical-name": "a",
      "service.istio.io/canonical-revision": "v1",
    },
  },
}));

type Node = (typeof PROXIES)[number];

function listenersOfWeft(mesh: object, objects: readonly object[], node: Node): Uint8Array[] {
  const configMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: stringify(mesh) },
  };
  const decoded = [...objects, configMap].map((raw): KubeObject => {
    const result = decodeObject(raw);
    if (!result.ok) throw new Error(JSON.stringify(result.issues));
    return result.value;
  });
  const proxy = decodeProxyNode(node);
  if (!proxy.ok) throw new Error(JSON.stringify(proxy.issues));
  const { snapshot } = buildSnapshot(buildProxyView(buildMesh(viewOf(decoded)), proxy.value));
  return [...snapshot.resources.listener.values()].map(({ body }) => body);
}

async function listenersOfIstiod(port: number, node: Node): Promise<Uint8Array[]> {
  const client = new AdsClient(port);
  try {
    client.send({ typeUrl: "type.googleapis.com/envoy.config.listener.v3.Listener", node });
    const { resources } = await client.response("listener");
    return resources.map(({ value }) => value);
  } finally {
    client.close();
  }
}

describe.skipIf(program === undefined)("telemetry as istiod has it", () => {
  const cases = [...TRACING_CASES, ...LOGGING_CASES].map((one) => [one.what, one] as const);

  test.each(cases)("%s", { timeout: 180_000 }, async (_, one: TelemetryCase) => {
    const [mesh, objects] = [meshOf(one), objectsOf(one)];
    const istiod = await Istiod.start(program ?? "", mesh, objects);
    try {
      for (const { metadata, ...rest } of PROXIES) {
        const node = { ...rest, metadata: { ...metadata, ...one.metadata } };
        const theirs = toldBy(await listenersOfIstiod(istiod.port, node));
        expect(toldBy(listenersOfWeft(mesh, objects, node))).toEqual(theirs);
      }
    } finally {
      await istiod.stop();
    }
  });
});
