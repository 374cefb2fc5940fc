import { describe, expect, it } from "vitest";
import { decodeMeshConfigFile, parseMeshConfig, parseMeshNetworks } from "./mesh-config.ts";

function issuesOf(text: string): readonly string[] {
  const result = parseMeshConfig(text);
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(({ path, message, severity }) => `${severity ?? "error"} ${path}: ${message}`);
}

describe("parseMeshConfig()", () => {
  it.each<[string, object]>([
    ["", {}],
    ["# nothing yet\n", {}],
    ["accessLogFile: /dev/stdout", { accessLogFile: "/dev/stdout" }],
    [
      "trust_domain: td1\nmesh_mTLS: {min_protocol_version: TLSV1_3}",
      { trustDomain: "td1", meshMTLS: { minProtocolVersion: "TLSV1_3" } },
    ],
    ['proxyListenPort: "15001"', { proxyListenPort: 15_001 }],
    [
      '{"defaultConfig": {"proxyMetadata": {"A_B": "c"}, "gateway_topology": {"num_trusted_proxies": 2}}}',
      { defaultConfig: { proxyMetadata: { A_B: "c" }, gatewayTopology: { numTrustedProxies: 2 } } },
    ],
    ["connectTimeout: null", {}],
    [
      "extensionProviders: [{name: log, envoyFileAccessLog: {logFormat: {labels: {a_b: x}}}}]",
      {
        extensionProviders: [
          { name: "log", envoyFileAccessLog: { logFormat: { labels: { a_b: "x" } } } },
        ],
      },
    ],
  ])("%j is %j", (text, value) => {
    expect(parseMeshConfig(text)).toEqual({ ok: true, value });
  });

  it.each<[string, readonly string[]]>([
    [
      "accessLogFiel: a",
      ['warning accessLogFiel: unknown field "accessLogFiel", did you mean "accessLogFile"?'],
    ],
    [
      "enableAutoDNSSuffix: true",
      [
        'warning enableAutoDNSSuffix: unknown field "enableAutoDNSSuffix": Istio has no such field: DNS is proxied by',
      ],
    ],
    [
      "outboundTrafficPolicy: {mode: ALLOW_ALL}",
      ["error outboundTrafficPolicy.mode: must be one of REGISTRY_ONLY, ALLOW_ANY"],
    ],
    ["connectTimeout: 31s", ["error connectTimeout: must be at most 30s: got 31s"]],
    ["connectTimeout: 0s", ["error connectTimeout: must be a duration"]],
    [
      "outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS, tls: {mode: SIMPLE}}",
      ["error outboundTrafficPolicy.tls: is not supported yet"],
    ],
    ["compliancePolicy: fips-140-2", ['error compliancePolicy: "fips-140-2" is not supported yet']],
    ["connectTimeout: [", ["error : line 1: "]],
    ["- a", ["error : must be an object: got a list"]],
    ["a: b\n---\nc: d", ["error : line 3: must be one document"]],
    ["trustDomain: a_b", ["error trustDomain: must be a trust domain"]],
    ["rootNamespace: A", ["error rootNamespace: must be the name of a namespace"]],
    ['defaultServiceExportTo: ["*", a]', ['error defaultServiceExportTo: "*" must stand alone']],
    ["extensionProviders: [{name: a}]", ["warning extensionProviders[0]: must say what it is"]],
    [
      "extensionProviders: [{name: a, prometheus: {}, zipkin: {service: z, port: 9411}}]",
      ["error extensionProviders[0]: may have only one of"],
    ],
    [
      "extensionProviders: [{name: a, zipkin: {service: z}}]",
      ["warning extensionProviders[0].zipkin.port: must be between 1 and 65535"],
    ],
    [
      "defaultProviders: {tracing: [jaeger]}",
      ['warning defaultProviders.tracing[0]: there is no "jaeger"'],
    ],
    ["defaultProviders: {metrics: [prometheus]}", []],
    ["tlsDefaults: {cipherSuites: [X]}", ['warning tlsDefaults.cipherSuites[0]: is left out: "X"']],
    ["meshMTLS: {ecdhCurves: [P-256]}", ["error meshMTLS.ecdhCurves: may not be set"]],
    [
      "defaultConfig: {drainDuration: 10ms}",
      ["error defaultConfig.drainDuration: must be whole seconds"],
    ],
    [
      "defaultConfig: {discoveryAddress: istiod}",
      ["error defaultConfig.discoveryAddress: must be HOST:PORT"],
    ],
    [
      "defaultConfig: {tracing: {zipkin: {address: a}, datadog: {address: b}}}",
      ["error defaultConfig.tracing: may have only one of"],
    ],
    [
      "defaultConfig: {readinessProbe: {}}",
      ["error defaultConfig.readinessProbe: must have one of"],
    ],
    [
      "serviceSettings: [{hosts: [a_b]}]",
      ["error serviceSettings[0].hosts[0]: must be a host name"],
    ],
    [
      "discoverySelectors: [{matchExpressions: [{key: a, operator: In}]}]",
      ["error discoverySelectors[0].matchExpressions[0].values: must not be empty"],
    ],
    ["__proto__: {a: 1}", ['warning __proto__: unknown field "__proto__"']],
  ])("%j gives %j", (text, expected) => {
    expect(issuesOf(text)).toEqual(expected.map((start) => expect.stringContaining(start)));
  });
});

describe("decodeMeshConfigFile()", () => {
  it("says where a problem stands", () => {
    const text = "accessLogFile: a\nproxyListenPort: 0\ndefaultConfig:\n  concurrencie: 1\n";
    const { meshConfig, problems } = decodeMeshConfigFile(text, "mesh.yaml");
    expect(meshConfig).toBeUndefined();
    expect(problems).toMatchObject([
      { file: "mesh.yaml", line: 2, issue: { path: "proxyListenPort" } },
      { file: "mesh.yaml", line: 4, issue: { severity: "warning" } },
    ]);
  });
});

describe("parseMeshNetworks()", () => {
  it("reads gateways and endpoints, one way to say each", () => {
    const text =
      "networks: {n1: {endpoints: [{fromRegistry: k}], gateways: [{address: 1.1.1.1, port: 15443}]}}";
    expect(parseMeshNetworks(text)).toMatchObject({ ok: true, value: { networks: { n1: {} } } });
    const both = "networks: {n1: {endpoints: [{fromRegistry: k, fromCidr: 10.0.0.0/8}]}}";
    expect(parseMeshNetworks(both).ok).toBe(false);
  });

  it.each<[string, string]>([
    ["endpoints: [{fromCidr: a}]", "networks[n].endpoints[0].fromCidr"],
    ["endpoints: [{fromRegistry: a b}]", "networks[n].endpoints[0].fromRegistry"],
    ["gateways: [{address: 1.1.1.1}]", "networks[n].gateways[0].port"],
    ["gateways: [{address: a_b, port: 1}]", "networks[n].gateways[0].address"],
    [
      "gateways: [{registryServiceName: '*.b', port: 1}]",
      "networks[n].gateways[0].registryServiceName",
    ],
  ])("refuses %j at %s", (network, path) => {
    const result = parseMeshNetworks(`networks: {n: {${network}}}`);
    expect(result).toMatchObject({ ok: false, issues: [{ path }] });
  });
});
