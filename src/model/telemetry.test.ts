import { describe, expect, test } from "vitest";
import { istio, meshOf, service, sidecar } from "../../test/model/world.ts";
import { formatIssue } from "../base/issue.ts";
import { buildCalledView } from "./called-view.ts";
import type { Mesh } from "./mesh.ts";
import { meshIssues } from "./mesh-issues.ts";
import type { ProxyNode } from "./proxy.ts";
import { buildProxyView } from "./proxy-view.ts";

const ZIPKIN = service("zipkin", {
  namespace: "istio-system",
  ip: "10.96.0.1",
  ports: ["http:9411"],
});
const OTEL = service("otel", { namespace: "istio-system", ip: "10.96.0.2", ports: ["tcp:4317"] });
const UNRESOLVED = istio(
  "ServiceEntry",
  "unresolved",
  "{ hosts: [unresolved.example.com], resolution: NONE, ports: [{ number: 80, name: http }] }",
);
const HOST = "zipkin.istio-system.svc.cluster.local";
const CLUSTER = `outbound|9411||${HOST}`;

const PROVIDERS = `
    - { name: zipkin, zipkin: { service: ${HOST}, port: 9411 } }
    - { name: otel, opentelemetry: { service: otel.istio-system.svc.cluster.local, port: 4317 } }
    - { name: unresolved, zipkin: { service: unresolved.example.com, port: 80 } }
    - { name: port, zipkin: { service: ${HOST}, port: 1 } }
    - { name: sky, skywalking: { service: ${HOST}, port: 9411 } }`;

function config(more = ""): string {
  const mesh = `extensionProviders:${PROVIDERS}\n${more}`;
  const text = mesh.replaceAll("\n", "\n    ");
  return `apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    ${text}`;
}

function telemetry(name: string, spec: string): string {
  const [own = "", namespace = "default"] = name.split(".");
  return `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: ${own}, namespace: ${namespace} }
spec: ${spec}`;
}

const BY_ZIPKIN = "tracing: [{ providers: [{ name: zipkin }] }]";
const AGENT = { WEFT_PROXY: "weft", INTERCEPTION_MODE: "NONE" };

function issuesOf(mesh: Mesh): readonly string[] {
  return meshIssues(mesh)
    .filter(({ issue }) => !issue.message.includes("what would use it is not built yet"))
    .map(({ object, issue }) => `${object.kind}/${object.name} ${formatIssue(issue)}`);
}

function tracerOf(mesh: Mesh, proxy: ProxyNode): string | undefined {
  return buildProxyView(mesh, proxy).telemetry.client.tracing?.tracer?.clusterName;
}

function clustersOf(mesh: Mesh, proxy: ProxyNode): readonly string[] {
  const { clusters, own, shared } = buildCalledView(mesh, proxy);
  return [...clusters.flat(), ...own.clusters, ...shared.clusters].map(({ name }) => name);
}

describe("a Telemetry", () => {
  const GATEWAY = "group: gateway.networking.k8s.io, kind: Gateway, name: g";

  test.each([
    ["targetRef", `{ targetRef: { ${GATEWAY} }, ${BY_ZIPKIN} }`],
    ["targetRefs", `{ targetRefs: [{ ${GATEWAY} }], ${BY_ZIPKIN} }`],
  ])("with %s is for the pods of that Gateway alone", (_, spec) => {
    const mesh = meshOf(ZIPKIN, config(), telemetry("t", spec));
    const label = "gateway.networking.k8s.io/gateway-name";
    const of = (name: string, namespace = "default"): string | undefined =>
      tracerOf(mesh, sidecar({ type: "router", namespace, labels: { [label]: name } }));
    expect([of("g"), of("other"), of("g", "elsewhere")]).toEqual([CLUSTER, undefined, undefined]);
    expect(tracerOf(mesh, sidecar())).toBeUndefined();
  });

  test("of the mesh is told to all, and changes are, while others keep what they have", () => {
    const all = telemetry("mesh-default.istio-system", `{ ${BY_ZIPKIN} }`);
    const own = telemetry("own.shop", "{ tracing: [{ disableSpanReporting: true }] }");
    const mesh = meshOf(ZIPKIN, config(), all, own);
    const client = sidecar();
    expect(tracerOf(mesh, client)).toBe(CLUSTER);
    expect(tracerOf(mesh, sidecar({ namespace: "shop" }))).toBeUndefined();
    // What several proxies have alike is one value.
    const again = buildProxyView(mesh, sidecar({ ips: ["10.0.0.8"] }));
    expect(again.telemetry).toBe(buildProxyView(mesh, client).telemetry);
  });

  test("brings its collector to proxies that do not see it otherwise", () => {
    const scope = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec: { egress: [{ hosts: ["./*"] }] }`;
    const traced = telemetry("t", `{ ${BY_ZIPKIN} }`);
    expect(clustersOf(meshOf(ZIPKIN, config(), scope, traced), sidecar())).toContain(CLUSTER);
    expect(clustersOf(meshOf(ZIPKIN, config(), scope), sidecar())).not.toContain(CLUSTER);
    // Automatic scope leaves out what the workload does not call.
    const labels = { "weft.dev/automatic-scope": "true" };
    const automatic = sidecar({ labels, metadata: { ...AGENT, WEFT_ON_DEMAND: "true" } });
    const other = service("other", { ip: "10.96.0.9" });
    const found = clustersOf(meshOf(ZIPKIN, other, config(), traced), automatic);
    expect(found).toContain(CLUSTER);
  });
});

describe("what is said in vain", () => {
  const one = (spec: string): readonly string[] =>
    issuesOf(meshOf(ZIPKIN, OTEL, UNRESOLVED, config(), telemetry("t", spec)));
  const by = (name: string): string => `{ tracing: [{ providers: [{ name: ${name} }] }] }`;

  test.each([
    [by("zipkin"), []],
    [
      by("zipkim"),
      ['there is no "zipkim" in extensionProviders of MeshConfig, did you mean "zipkin"'],
    ],
    [by("sky"), ['"sky" is skywalking, which is sent no spans here: use zipkin, opentelemetry']],
    [by("envoy"), ['"envoy" is envoyFileAccessLog, which is sent no spans']],
    [
      by("unresolved"),
      ['"unresolved" is sent no spans: unresolved.example.com has no address of its own'],
    ],
    [by("port"), [`"port" is sent no spans: ${HOST} has no port 1: it has 9411`]],
    [
      by("otel"),
      ['"otel" speaks gRPC, and the port of otel.istio-system.svc.cluster.local does not'],
    ],
    ["{ accessLogging: [{ providers: [{ name: zipkin }] }] }", ["which is sent no log entries"]],
    ["{ accessLogging: [{ filter: { expression: x } }] }", ["names no provider"]],
    ["{ accessLogging: [{ disabled: true }] }", []],
    ["{ selector: { matchLabels: { app: no } } }", ["no pod of namespace default has app=no"]],
  ])("%s", (spec, said) => {
    expect(one(spec)).toEqual(said.map((text) => expect.stringContaining(text)));
  });

  test("of several for one namespace the younger is told", () => {
    const mesh = meshOf(
      config(),
      telemetry("a", "{}"),
      telemetry("b", "{}"),
      telemetry("c.x", "{}"),
    );
    expect(issuesOf(mesh)).toEqual([
      expect.stringContaining("Telemetry/b spec: has no effect: Telemetry/default/a is for all"),
    ]);
  });

  test("of default providers the mesh's ConfigMap", () => {
    const mesh = meshOf(
      config("defaultProviders: { tracing: [zipkin], accessLogging: [envoy, sky] }"),
    );
    expect(issuesOf(mesh)).toEqual([
      expect.stringMatching(
        /^ConfigMap\/istio data\[mesh\]\.defaultProviders\.tracing\[0\]: .*there is no service/,
      ),
      expect.stringMatching(
        /^ConfigMap\/istio data\[mesh\]\.defaultProviders\.accessLogging\[1\]: "sky" is/,
      ),
    ]);
  });
});

describe("a proxy of weft's agent", () => {
  const of = (mesh: Mesh, labels = {}, metadata = {}) =>
    buildProxyView(mesh, sidecar({ labels, metadata: { ...AGENT, ...metadata } }));

  test.each([
    ["zipkin.istio-system:9411", CLUSTER],
    ["zipkin.istio-system.svc:9411", CLUSTER],
    [`${HOST}:9411`, CLUSTER],
    ["zipkin.example.com:9411", "zipkin"],
    ["10.1.2.3:9411", "zipkin"],
  ])("traces to %s by the tracer that the control plane sends", (address, expected) => {
    const mesh = meshOf(
      ZIPKIN,
      config(`defaultConfig: { tracing: { zipkin: { address: "${address}" }, sampling: 50 } }`),
    );
    const { telemetry: told, own } = of(mesh);
    expect(told.client.tracing).toMatchObject({
      samplingPercent: 50,
      tracer: { type: "zipkin", clusterName: expected, path: "/api/v2/spans" },
    });
    const sent = own.clusters.filter(({ name }) => name === "zipkin");
    expect(sent).toHaveLength(expected === "zipkin" ? 1 : 0);
  });

  test("is told by gRPC where its ProxyConfig says", () => {
    const log = 'envoyAccessLogService: { address: "als.example.com:9000" }';
    const mesh = meshOf(config(`enableEnvoyAccessLogService: true\ndefaultConfig: { ${log} }`));
    const { telemetry: told, own } = of(mesh);
    expect(told.client.accessLogs).toMatchObject([
      { sink: { type: "grpc", clusterName: "envoy_accesslog_service" } },
    ]);
    expect(own.clusters).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ name: "envoy_accesslog_service", upstreamProtocol: "http2" }),
      ]),
    );
  });

  test("decides nothing where nobody would be told", () => {
    expect(
      of(meshOf(config("defaultConfig: { tracing: { sampling: 50 } }"))).telemetry.client,
    ).toMatchObject({
      tracing: undefined,
    });
  });

  test("is called what its labels say, as Istio's injector would find it", () => {
    const mesh = meshOf(
      ZIPKIN,
      config("defaultConfig: { meshId: m }"),
      telemetry("t", `{ ${BY_ZIPKIN} }`),
    );
    const tags = of(mesh, { app: "a", version: "v2" }).telemetry.client.tracing?.customTags ?? [];
    const values = new Map(tags.map((tag) => [tag.name, "value" in tag ? tag.value : undefined]));
    expect(values.get("istio.canonical_service")).toBe("a");
    expect(values.get("istio.canonical_revision")).toBe("v2");
    expect(values.get("istio.mesh_id")).toBe("m");
  });

  test("goes by the mesh's ProxyConfig but for what its own says", () => {
    const mesh = meshOf(
      ZIPKIN,
      config("defaultConfig: { meshId: m, tracing: { zipkin: { address: z.example.com:1 } } }"),
    );
    const own = of(mesh, {}, { PROXY_CONFIG: { tracing: { zipkin: { address: "10.0.0.1:2" } } } });
    expect(own.own.clusters.find(({ name }) => name === "zipkin")?.discovery).toMatchObject({
      endpoints: [{ address: "10.0.0.1", port: 2 }],
    });
    const { customTags = [] } = own.telemetry.client.tracing ?? {};
    expect(customTags.find(({ name }) => name === "istio.mesh_id")).toMatchObject({ value: "m" });
  });
});
