import { describe, expect, it } from "vitest";
import { formatIssue } from "../base/issue.ts";
import type { ConfigMap } from "../config/config-map.ts";
import type { MeshConfig } from "../config/mesh-config.ts";
import { viewOf } from "../store/config-store.ts";
import { buildMesh } from "./mesh.ts";
import { readMeshConfig, resolveMeshConfig } from "./mesh-config.ts";
import { meshIssues, referenceIssues } from "./mesh-issues.ts";
import { DEFAULT_SETTINGS } from "./mesh-settings.ts";

function configMap(mesh: string, name = "istio"): ConfigMap {
  const metadata = { name, namespace: "istio-system" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { mesh } };
}

function issuesOf(mesh: string): readonly string[] {
  return readMeshConfig(configMap(mesh)).issues.map(({ issue }) => formatIssue(issue));
}

describe("resolveMeshConfig()", () => {
  it("is Istio's defaults where nothing is said", () => {
    expect(resolveMeshConfig(undefined)).toEqual(DEFAULT_SETTINGS);
    expect(resolveMeshConfig({})).toEqual(DEFAULT_SETTINGS);
    // A section without its field says nothing either.
    const sections = { outboundTrafficPolicy: {}, pathNormalization: {}, localityLbSetting: {} };
    expect(resolveMeshConfig(sections)).toEqual(DEFAULT_SETTINGS);
  });

  it.each<[MeshConfig, object]>([
    [{ outboundTrafficPolicy: { mode: "REGISTRY_ONLY" } }, { outboundMode: "REGISTRY_ONLY" }],
    [{ inboundTrafficPolicy: { mode: "LOCALHOST" } }, { inboundMode: "LOCALHOST" }],
    [
      { connectTimeout: "1.5s", dnsRefreshRate: "5s" },
      { connectTimeoutMs: 1500, dnsRefreshMs: 5000 },
    ],
    [{ protocolDetectionTimeout: "100ms" }, { protocolDetectionTimeoutMs: 100 }],
    [
      { proxyHttpPort: 15_002, proxyListenPort: 1, proxyInboundListenPort: 2 },
      { httpProxyPort: 15_002, outboundPort: 1, inboundPort: 2 },
    ],
    [
      { tcpKeepalive: { time: "10s", probes: 3 } },
      { tcpKeepalive: { timeMs: 10_000, probes: 3, intervalMs: undefined } },
    ],
    [{ pathNormalization: { normalization: "DEFAULT" } }, { pathNormalization: "BASE" }],
    [
      { pathNormalization: { normalization: "MERGE_SLASHES" } },
      { pathNormalization: "MERGE_SLASHES" },
    ],
    [
      { ingressControllerMode: "UNSPECIFIED", ingressClass: "x" },
      {
        ingress: {
          mode: "STRICT",
          className: "x",
          service: "istio-ingressgateway",
          selector: "ingressgateway",
        },
      },
    ],
    [
      { defaultServiceExportTo: [], defaultVirtualServiceExportTo: ["."] },
      { exportTo: { service: ["*"], virtualService: ["."], destinationRule: ["*"] } },
    ],
    [
      {
        meshMTLS: { minProtocolVersion: "TLSV1_3" },
        tlsDefaults: { minProtocolVersion: "TLS_AUTO", ecdhCurves: ["P-256"] },
      },
      {
        meshTlsMinVersion: "TLSV1_3",
        tlsDefaults: {
          minVersion: undefined,
          maxVersion: undefined,
          cipherSuites: [],
          ecdhCurves: ["P-256"],
        },
      },
    ],
    [
      { localityLbSetting: { failoverPriority: ["a"] } },
      { localityLb: { enabled: true, failoverPriority: ["a"] } },
    ],
    [
      { h2UpgradePolicy: "UPGRADE", enableAutoMtls: false },
      { isHttp2Upgrade: true, isAutoMtls: false },
    ],
    [
      { accessLogFile: "/dev/stdout", disableEnvoyListenerLog: true },
      {
        accessLog: {
          path: "/dev/stdout",
          format: { encoding: "TEXT", text: undefined },
          omitsEmpty: false,
        },
        isListenerLogged: false,
      },
    ],
    [
      {
        serviceSettings: [{ hosts: ["a.b"] }, { settings: { clusterLocal: true }, hosts: ["*.b"] }],
      },
      {
        clusterLocal: [
          { host: "a.b", isLocal: false },
          { host: "*.b", isLocal: true },
        ],
      },
    ],
  ])("resolves %j to %j", (mesh, expected) => {
    expect(resolveMeshConfig(mesh)).toEqual({ ...DEFAULT_SETTINGS, ...expected });
  });
});

describe("the access log", () => {
  const text = (format: string | undefined): object => ({ encoding: "TEXT", text: format });

  it.each<[MeshConfig, object | undefined]>([
    [{ accessLogFormat: "x" }, undefined],
    [
      { accessLogFile: "/a", accessLogFormat: "x" },
      { path: "/a", format: text("x"), omitsEmpty: false },
    ],
    [
      { accessLogFile: "/a", accessLogEncoding: "JSON", accessLogFormat: '{"a": "%PROTOCOL%"}' },
      {
        path: "/a",
        format: { encoding: "JSON", fields: { a: "%PROTOCOL%" } },
        omitsEmpty: false,
      },
    ],
    [
      { accessLogFile: "/a", accessLogEncoding: "JSON", accessLogFormat: "x" },
      { path: "/a", format: { encoding: "JSON", fields: undefined }, omitsEmpty: false },
    ],
  ])("of %j is %j", (mesh, expected) => {
    expect(resolveMeshConfig(mesh).accessLog).toEqual(expected);
  });
});

describe("readMeshConfig()", () => {
  it("keeps what was last good when a text cannot be read, and names what is wrong", () => {
    const good = readMeshConfig(configMap("trustDomain: td"));
    expect(good.issues).toEqual([]);
    const bad = readMeshConfig(
      configMap("trustDomain: [a]\noutboundTrafficPolicy: {mode: X}"),
      good,
    );
    expect(bad.settings).toBe(good.settings);
    expect(bad.issues.map(({ object, issue }) => [object.name, issue.path])).toEqual([
      ["istio", "data[mesh]"],
      ["istio", "data[mesh].trustDomain"],
      ["istio", "data[mesh].outboundTrafficPolicy.mode"],
    ]);
    const first = readMeshConfig(configMap("trustDomain: [a]"));
    expect(first.settings).toBe(DEFAULT_SETTINGS);
    // Once it is gone, nothing is left of it.
    expect(readMeshConfig(undefined, bad).settings).toEqual(DEFAULT_SETTINGS);
  });

  it("is the same value for the same text, so that nothing is computed again", () => {
    const first = readMeshConfig(configMap("trustDomain: td"));
    expect(readMeshConfig(configMap("trustDomain: td"), first)).toBe(first);
    const view = viewOf([configMap("trustDomain: td")]);
    const mesh = buildMesh(view);
    const other = viewOf([configMap("trustDomain: td"), configMap("", "other")]);
    expect(buildMesh(other, mesh).settings).toBe(mesh.settings);
  });

  it("keeps the parts that a change does not touch", () => {
    const first = readMeshConfig(configMap("defaultServiceExportTo: [.]\ntrustDomain: a"));
    const other = readMeshConfig(configMap("defaultServiceExportTo: [.]\ntrustDomain: b"), first);
    expect(other.settings.trustDomain).toBe("b");
    expect(other.settings.exportTo).toBe(first.settings.exportTo);
    const same = readMeshConfig(configMap("trustDomain: b\ndefaultServiceExportTo: ['.']"), other);
    expect(same.settings).toBe(other.settings);
    expect(readMeshConfig(configMap("enableTracing: true")).settings).toBe(DEFAULT_SETTINGS);
    const provider = readMeshConfig(
      configMap("extensionProviders: [{name: a, prometheus: {}}]"),
      first,
    );
    // Istio's own is there too.
    expect([...provider.settings.extensionProviders.keys()]).toEqual(["envoy", "a"]);
  });

  it("warns of what it does not do, unless it is what happens anyway", () => {
    expect(issuesOf("enableTracing: true\ndefaultConfig: {drainDuration: 45s}")).toEqual([]);
    expect(
      issuesOf("defaultConfig: {tracing: {datadog: {}}}\nconfigSources: [{address: a}]"),
    ).toEqual([
      expect.stringContaining("data[mesh].configSources: has no effect: "),
      expect.stringContaining("data[mesh].defaultConfig.tracing.datadog: has no effect: "),
    ]);
    expect(issuesOf("enableEnvoyAccessLogService: true")).toEqual([
      expect.stringContaining("say defaultConfig.envoyAccessLogService.address"),
    ]);
  });

  it("warns of providers that nothing uses", () => {
    const dynatrace = "resourceDetectors: {dynatrace: {}}, dynatraceSampler: {tenant: t}";
    const providers = `extensionProviders:
- {name: j, opentelemetry: {service: j, port: 4317, ${dynatrace}}}
- {name: s, skywalking: {service: s, port: 1}}`;
    expect(issuesOf(`${providers}\ndefaultProviders: {tracing: [j, s], metrics: [s]}`)).toEqual([
      expect.stringContaining("[0].opentelemetry.resourceDetectors.dynatrace: has no effect"),
      expect.stringContaining("[0].opentelemetry.dynatraceSampler: has no effect"),
      expect.stringContaining("extensionProviders[1].skywalking: has no effect"),
      expect.stringContaining("defaultProviders.tracing[1]: has no effect"),
      expect.stringContaining("defaultProviders.metrics: has no effect"),
    ]);
    expect(issuesOf("accessLogFile: /a\naccessLogEncoding: JSON\naccessLogFormat: x")).toEqual([
      expect.stringContaining("accessLogFormat: is no JSON object"),
    ]);
  });

  it("warns of networks, and says what is wrong with them", () => {
    const map = (meshNetworks: string): ConfigMap => ({ ...configMap(""), data: { meshNetworks } });
    const textsOf = (text: string): readonly string[] =>
      readMeshConfig(map(text)).issues.map(({ issue }) => formatIssue(issue));
    expect(textsOf("networks: {}")).toEqual([]);
    expect(textsOf("networks: {n: {}}")).toEqual([
      expect.stringContaining("data[meshNetworks].networks: has no effect"),
    ]);
    expect(textsOf("networks: []")).toEqual([
      expect.stringContaining("data[meshNetworks].networks: must be an object"),
    ]);
  });
});

describe("the mesh's ConfigMap", () => {
  it("changes the mesh and has its issues among those of the mesh", () => {
    const mesh = buildMesh(viewOf([configMap("rootNamespace: root\nfoo: 1")]));
    expect(mesh.settings.rootNamespace).toBe("root");
    expect(meshIssues(mesh).map(({ object, issue }) => [object.name, issue.path])).toEqual([
      ["istio", "data[mesh].foo"],
    ]);
  });

  it("is asked about when it is written, other ConfigMaps are not", () => {
    const view = viewOf([]);
    expect(referenceIssues(configMap("a"), view).map(formatIssue)).toEqual([
      "data[mesh]: is not used, Istio's defaults hold: 1 error",
      'data[mesh]: must be an object: got "a"',
    ]);
    expect(referenceIssues(configMap("a", "other"), view)).toEqual([]);
  });
});
