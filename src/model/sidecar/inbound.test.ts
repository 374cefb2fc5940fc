import { describe, expect, test } from "vitest";
import type { KubeObject } from "../../config/object.ts";
import { viewOf } from "../../store/config-store.ts";
import { buildMesh } from "../mesh.ts";
import type { ProxyNode } from "../proxy.ts";
import { decodeProxyNode } from "../proxy-node.ts";
import { scopeOf } from "../scope/build-scope.ts";
import { buildSidecarInbound } from "./inbound.ts";

function proxy(metadata: Readonly<Record<string, unknown>> = {}): ProxyNode {
  const decoded = decodeProxyNode({
    id: "sidecar~10.0.0.7~cart-1.shop~shop.svc.cluster.local",
    metadata: { LABELS: { app: "cart" }, ...metadata },
  });
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.issues));
  return decoded.value;
}

const CAPTURED = proxy();
const PORTABLE = proxy({ INTERCEPTION_MODE: "NONE", WEFT_APP_ADDRESS: "127.0.1.7" });
/** Under Istio's agent, with nothing captured. */
const NONE = proxy({ INTERCEPTION_MODE: "NONE" });

function object(
  apiVersion: string,
  kind: string,
  name: string,
  spec: object,
  second = "1",
): KubeObject {
  const creationTimestamp = `2026-01-01T00:00:0${second}Z`;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace: "shop", creationTimestamp },
    spec,
  } as never;
}

const service = (name: string, ports: readonly object[], second?: string) =>
  object(
    "v1",
    "Service",
    name,
    { clusterIP: "10.96.0.7", selector: { app: "cart" }, ports },
    second,
  );
const sidecar = (spec: object) => object("networking.istio.io/v1", "Sidecar", "cart", spec);
const policy = (name: string, spec: object) =>
  object("security.istio.io/v1", "PeerAuthentication", name, spec);

const HTTP = { name: "http", port: 80, targetPort: 8080 };
const CART = service("cart", [HTTP]);

function build(objects: readonly KubeObject[], node: ProxyNode = CAPTURED) {
  const mesh = buildMesh(viewOf(objects));
  return buildSidecarInbound(mesh, node, scopeOf(mesh, node));
}

function texts({ issues }: ReturnType<typeof build>): readonly string[] {
  return issues.map(
    ({ object: { kind, name }, issue }) => `${kind}/${name} ${issue.path}: ${issue.message}`,
  );
}

/** The addresses of listeners, and where clusters lead. */
function shape({ listeners, clusters }: ReturnType<typeof build>) {
  return {
    listeners: listeners.map(({ name }) => name),
    clusters: clusters.map(({ name, discovery }) => {
      if (discovery.type === "original-dst") return `${name} ← ${discovery.sourceAddress}`;
      if (discovery.type !== "static") return name;
      const [endpoint] = discovery.endpoints;
      const from = discovery.sourceAddress === undefined ? "" : ` ← ${discovery.sourceAddress}`;
      return `${name} ${endpoint?.address}:${endpoint?.port}${from}`;
    }),
  };
}

describe("buildSidecarInbound()", () => {
  test.each([
    [
      "leaves captured traffic its destination",
      [CART],
      CAPTURED,
      ["virtualInbound"],
      ["inbound|8080|| ← 127.0.0.6", "InboundPassthroughCluster ← 127.0.0.6"],
    ],
    [
      "has a listener for each port in portable mode",
      [CART],
      PORTABLE,
      ["10.0.0.7_8080"],
      ["inbound|8080|| 127.0.1.7:8080"],
    ],
    ["has none where the app has the port itself", [CART], NONE, [], []],
    [
      "sends to the loopback where the mesh says so",
      [
        CART,
        {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "istio", namespace: "istio-system" },
          data: { mesh: "inboundTrafficPolicy: { mode: LOCALHOST }" },
        } as KubeObject,
      ],
      CAPTURED,
      ["virtualInbound"],
      ["inbound|8080|| 127.0.0.1:8080", "InboundPassthroughCluster ← 127.0.0.6"],
    ],
    [
      "takes a Sidecar's ingress in the place of services",
      [
        CART,
        sidecar({
          ingress: [
            { port: { number: 9000, name: "a", protocol: "TCP" }, defaultEndpoint: "127.0.0.1:1" },
            { port: { number: 9001, name: "b", protocol: "TCP" }, defaultEndpoint: "0.0.0.0:2" },
            { port: { number: 9002, name: "c", protocol: "TCP" }, defaultEndpoint: "unix:///c" },
            { port: { number: 9003, name: "d", protocol: "TCP" } },
            {
              port: { number: 9004, name: "e", protocol: "TCP" },
              captureMode: "NONE",
              bind: "10.0.0.9",
            },
          ],
        }),
      ],
      CAPTURED,
      ["virtualInbound", "10.0.0.9_9004"],
      [
        "inbound|9000|| 127.0.0.1:1",
        "inbound|9001|| 10.0.0.7:2 ← 127.0.0.6",
        "inbound|9002|| /c:0",
        "inbound|9003|| ← 127.0.0.6",
        "inbound|9004|| ← 127.0.0.6",
        "InboundPassthroughCluster ← 127.0.0.6",
      ],
    ],
  ] as const)("%s", (_, objects, node, listeners, clusters) => {
    expect(shape(build(objects, node))).toEqual({ listeners, clusters });
  });

  test("lets the oldest of several services say what a port speaks", () => {
    const built = build([service("z", [HTTP], "1"), service("a", [{ ...HTTP, name: "tcp" }], "2")]);
    const chains = built.listeners[0]?.chains.filter(({ name }) => name === "0.0.0.0_8080");
    expect(chains?.map(({ filter }) => filter.type)).toEqual(["http", "http"]);
    expect(texts(built)).toEqual([expect.stringMatching(/^Service\/a spec\.ports\[0\]: .*older/)]);
  });

  test("gives an app's limits by port, by Sidecar, by the service's DestinationRule, in this order", () => {
    const pool = (maxConnections: number) => ({ tcp: { maxConnections } });
    const rule = object("networking.istio.io/v1", "DestinationRule", "cart", {
      host: "cart",
      trafficPolicy: { connectionPool: pool(1) },
    });
    const limitOf = (objects: readonly KubeObject[]) =>
      build(objects).clusters[0]?.policy.connectionPool.maxConnections;
    const whole = { inboundConnectionPool: pool(2) };
    const ingress = [{ port: { number: 8080, protocol: "HTTP" }, connectionPool: pool(3) }];
    expect([
      limitOf([CART, rule]),
      limitOf([CART, rule, sidecar(whole)]),
      limitOf([CART, rule, sidecar({ ...whole, ingress })]),
    ]).toEqual([1, 2, 3]);
  });

  test("takes both plain text and mutual TLS where nobody says anything, as far as it can", () => {
    const transports = (node: ProxyNode) =>
      build([CART], node)
        .listeners.flatMap(({ chains }) => chains)
        .filter(({ match: { destinationPort: port } }) => port === undefined || port === 8080)
        .filter(({ name }) => name.endsWith("_8080"))
        .map(({ match, tls }) => `${match.transportProtocol} ${tls !== undefined}`);
    expect(transports(CAPTURED)).toEqual(["tls true", "raw_buffer false"]);
    expect(transports(PORTABLE)).toEqual(["undefined false"]);
  });

  test("never takes plain text where STRICT is said, and warns where that closes a port", () => {
    const strict = policy("all", { mtls: { mode: "STRICT" } });
    for (const node of [CAPTURED, PORTABLE]) {
      const chains = build([CART, strict], node).listeners.flatMap((one) => one.chains);
      const plain = chains.filter(({ match }) => match.transportProtocol !== "tls");
      expect(plain.map(({ name }) => name)).toEqual(
        node === CAPTURED ? ["virtualInbound-blackhole"] : [],
      );
      expect(chains.filter(({ tls }) => tls !== undefined).length).toBeGreaterThan(0);
    }
    expect(texts(build([CART, strict]))).toEqual([]);
    expect(texts(build([CART, strict], PORTABLE))).toEqual([
      expect.stringMatching(/^PeerAuthentication\/all spec\.mtls\.mode: closes ports/),
    ]);
  });

  test("keeps what a change does not touch", () => {
    const before = build([CART]);
    const after = build([
      CART,
      object("v1", "Service", "other", { clusterIP: "10.96.0.8", ports: [HTTP] }),
      policy("db", { selector: { matchLabels: { app: "db" } }, mtls: { mode: "STRICT" } }),
    ]);
    expect(after.listeners[0]).toBe(before.listeners[0]);
    expect(after.clusters[0]).toBe(before.clusters[0]);
  });

  test("does not bind what it may not", () => {
    const built = build(
      [service("cart", [{ ...HTTP, targetPort: 80 }])],
      proxy({ INTERCEPTION_MODE: "NONE", WEFT_APP_ADDRESS: "127.0.1.7", UNPRIVILEGED_POD: "true" }),
    );
    expect(built.listeners).toEqual([]);
    expect(texts(built)).toEqual([expect.stringContaining("port 80 needs a privilege")]);
  });
});
