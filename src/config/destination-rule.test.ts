import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";

function issuesOf(spec: object): readonly string[] {
  const result = decodeObject({
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name: "a", namespace: "own" },
    spec,
  });
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(({ path, message, severity }) => `${severity ?? "error"} ${path}: ${message}`);
}

/** What issues begin with; a path that starts with "." goes on from `path`. */
function starting(starts: readonly string[], path = ""): readonly unknown[] {
  return starts.map((start) => expect.stringContaining(start.replace(" .", ` ${path}.`)));
}

describe("DestinationRule", () => {
  it.each<[object, readonly string[]]>([
    [{ host: "*.com", subsets: [{ name: "V1", labels: { version: "v1" } }] }, []],
    [{ host: "*" }, []],
    [{ host: "10.0.0.1" }, ["error spec.host: must be a host name"]],
    [{ subsets: [] }, ["error spec.host: is required"]],
    [{ host: "a", subsets: [{ name: "" }] }, ["error spec.subsets[0].name: must not be empty"]],
    [
      { host: "a", subsets: [{ name: "v", labels: { "a b": "c" }, trafficPolicy: {} }] },
      [
        "error spec.subsets[0].labels: must be a label key",
        "error spec.subsets[0].trafficPolicy: must have at least one field",
      ],
    ],
    [{ host: "a", workloadSelector: { matchLabels: { app: "x" } }, exportTo: ["."] }, []],
    [
      { host: "a", workloadSelector: {}, exportTo: ["other"] },
      [
        'error spec.exportTo: must be ["."] or absent beside a workloadSelector',
        "warning spec.workloadSelector: has no labels",
      ],
    ],
    [
      { host: "a", workloadSelector: { matchLabels: { "": "x", "a*": "y" } } },
      [
        "error spec.workloadSelector.matchLabels[]: the key must not be empty",
        "error spec.workloadSelector.matchLabels[a*]: must not have wildcards",
      ],
    ],
  ])("%j gives %j", (spec, starts) => {
    expect(issuesOf(spec)).toEqual(starting(starts));
  });
});

describe("a traffic policy", () => {
  it.each<[object, readonly string[]]>([
    [{ tls: {} }, []],
    [
      { retryBudget: { percent: 25, minRetryConcurrency: 3, budgetInterval: "10s" } },
      ["warning .retryBudget.budgetInterval: has no effect"],
    ],
    [{ retryBudget: { percent: 101 } }, ["error .retryBudget.percent: must be between 0 and 100"]],
    [{ proxyProtocol: { version: "V3" } }, ["error .proxyProtocol.version: must be one of V1, V2"]],
    [
      { proxyProtocol: {}, tunnel: { targetHost: "x", targetPort: 443 } },
      ["error .proxyProtocol: must not stand beside tunnel"],
    ],
    [
      { tunnel: { targetHost: "*.x", targetPort: 0, protocol: "PUT" } },
      [
        "error .tunnel.targetPort: must be between 1 and 65535",
        'error .tunnel.protocol: must be CONNECT or POST: got "PUT"',
        "error .tunnel.targetHost: must be a host name",
      ],
    ],
    [
      {
        portLevelSettings: [{ tls: {} }, { port: { number: 0 } }, { port: { number: 1 }, tls: {} }],
      },
      [
        "error .portLevelSettings[0].port: is required",
        "error .portLevelSettings[1].port.number: must be between 1 and 65535",
        "error .portLevelSettings[1]: must have at least one field beside port",
      ],
    ],
    [
      { outlierDetection: { consecutiveErrors: 5, consecutiveLocalOriginFailures: 3 } },
      [
        "warning .outlierDetection.consecutiveErrors: is deprecated",
        "error .outlierDetection.consecutiveLocalOriginFailures: is only counted with",
      ],
    ],
    [
      {
        outlierDetection: {
          splitExternalLocalOriginErrors: true,
          consecutiveLocalOriginFailures: 3,
          maxEjectionPercent: 101,
          minHealthPercent: -1,
        },
      },
      [
        "error .outlierDetection.maxEjectionPercent: must be between 0 and 100",
        "error .outlierDetection.minHealthPercent: must be between 0 and 100",
      ],
    ],
    [
      { outlierDetection: { outlierDetectionHttpErrorCodes: [99], interval: "0s" } },
      [
        "error .outlierDetection.outlierDetectionHttpErrorCodes[0]: must be between 100 and 599",
        "warning .outlierDetection.outlierDetectionHttpErrorCodes: has no effect",
        "error .outlierDetection.interval: must be a duration of at least 1ms",
      ],
    ],
    [{ connectionPool: {} }, ['error .connectionPool: must have at least one of "tcp", "http"']],
    [{ connectionPool: { tcp: { idleTimeout: "0s", connectTimeout: "1s" } } }, []],
    [
      {
        connectionPool: {
          tcp: { maxConnections: -1, idleTimeout: "0.5ms", tcpKeepalive: { time: "0s" } },
        },
      },
      ["error .connectionPool.tcp.tcpKeepalive.time: must be a duration"],
    ],
    [
      {
        connectionPool: {
          tcp: { maxConnections: -1, idleTimeout: "0.5ms" },
          http: { maxRetries: -1, h2UpgradePolicy: "UPGRADE", useClientProtocol: true },
        },
      },
      [
        "error .connectionPool.http.maxRetries: must not be negative",
        "error .connectionPool.http.useClientProtocol: must not be true beside",
        "error .connectionPool.tcp.maxConnections: must not be negative",
        "error .connectionPool.tcp.idleTimeout: must be whole milliseconds",
      ],
    ],
  ])("%j gives %j", (trafficPolicy, starts) => {
    const found = issuesOf({ host: "a", trafficPolicy });
    expect(found).toEqual(starting(starts, "spec.trafficPolicy"));
  });

  it.each<[object, readonly string[]]>([
    [{ mode: "MUTUAL", credentialName: "x" }, []],
    [
      { mode: "MUTUAL" },
      [
        "error .clientCertificate: is required for mode MUTUAL",
        "error .privateKey: is required for mode MUTUAL",
      ],
    ],
    [
      { mode: "SIMPLE", credentialName: "x", caCertificates: "y", caCrl: "z" },
      [
        "error .caCertificates: must not stand beside credentialName",
        "error .caCrl: must not stand beside credentialName",
      ],
    ],
    [
      { mode: "SIMPLE", insecureSkipVerify: true, credentialName: "x", subjectAltNames: [] },
      [
        "error .subjectAltNames: must not stand beside insecureSkipVerify",
        "error .credentialName: must not stand beside insecureSkipVerify",
      ],
    ],
    [{ mode: "ISTIO_MUTUAL", insecureSkipVerify: true, subjectAltNames: ["x"] }, []],
    [{ mode: "SIMPLE", credentialName: "configmap://own/x" }, []],
    [{ mode: "SIMPLE", sni: "x".repeat(255) }, []],
    [
      { mode: "SIMPLE", sni: "é".repeat(128) },
      ["error .sni: must have at most 255 bytes: got 256"],
    ],
    [
      { mode: "SIMPLE", credentialName: "configmap://other/x" },
      ["error .credentialName: must be configmap://<name> or configmap://own/<name>"],
    ],
  ])("with tls %j gives %j", (tls, starts) => {
    const found = issuesOf({ host: "a", trafficPolicy: { tls } });
    expect(found).toEqual(starting(starts, "spec.trafficPolicy.tls"));
  });

  it.each<[object, readonly string[]]>([
    [{ simple: "PASSTHROUGH" }, []],
    [
      { simple: "RANDOM", consistentHash: { useSourceIp: true } },
      ['error spec.trafficPolicy.loadBalancer: may have only one of "simple", "consistentHash"'],
    ],
    [
      { consistentHash: { useSourceIp: true, httpHeaderName: "x" } },
      ['error .consistentHash: may have only one of "httpHeaderName"'],
    ],
    [
      { consistentHash: { httpCookie: { name: "", ttl: "0s", attributes: [{ value: "x" }] } } },
      ["error .consistentHash.httpCookie.attributes[0].name: is required"],
    ],
    [
      { consistentHash: { httpCookie: { name: "a\nb", path: "/\0" } } },
      [
        "error .consistentHash.httpCookie.name: must not have control characters",
        "error .consistentHash.httpCookie.path: must not have control characters",
      ],
    ],
    [
      { consistentHash: { httpCookie: { name: "" }, ringHash: { minimumRingSize: 9_000_000 } } },
      [
        "error .consistentHash.httpCookie.name: must not be empty",
        "error .consistentHash.ringHash.minimumRingSize: must be at most 8388608",
      ],
    ],
    [
      {
        consistentHash: { useSourceIp: true, minimumRingSize: 1024, maglev: { tableSize: 65_537 } },
      },
      [
        "warning .consistentHash.minimumRingSize: is deprecated",
        "error .consistentHash.minimumRingSize: must not stand beside",
      ],
    ],
    [
      { consistentHash: { useSourceIp: true, maglev: {} } },
      ["error .consistentHash.maglev.tableSize: is required"],
    ],
    [
      { consistentHash: { useSourceIp: true, maglev: { tableSize: 65_536 } } },
      ["error .consistentHash.maglev.tableSize: must be a prime number below 5000011"],
    ],
    [
      { consistentHash: { useSourceIp: true, maglev: { tableSize: 5_000_011 } } },
      ["error .consistentHash.maglev.tableSize: must be a prime number below 5000011"],
    ],
    [
      { warmup: { duration: "30s", aggression: 0.5 }, warmupDurationSecs: "10s" },
      [
        "warning .warmupDurationSecs: has no effect beside warmup",
        "error .warmup.aggression: must be at least 1",
      ],
    ],
    [
      {
        localityLbSetting: {
          distribute: [{ from: "a/*", to: { "a/*": 50, "b/*": 50 } }],
          failover: [{ from: "a", to: "b" }],
        },
      },
      [
        "error .localityLbSetting.failover: must not stand beside distribute",
        "warning .localityLbSetting: has no failover without outlierDetection",
      ],
    ],
    [
      {
        localityLbSetting: {
          distribute: [
            { from: "a/b", to: { "a/b": 0, "*/c": 50, a: 49 } },
            { from: "a/*", to: { x: 100 } },
            { from: "x//y", to: { x: 100 } },
          ],
        },
      },
      [
        "error .localityLbSetting.distribute[0].to[a/b]: must be between 1 and 100",
        "error .localityLbSetting.distribute[0].to: the weights must add up to 100: got 99",
        'error .localityLbSetting.distribute[0].to[*/c]: "*" must be the last character',
        'error .localityLbSetting.distribute[0].to[a]: "a" overlaps with "a/b"',
        'error .localityLbSetting.distribute[1].from: "a/*" overlaps with "a/b"',
        "error .localityLbSetting.distribute[2].from: must be region, region/zone",
      ],
    ],
    [
      {
        localityLbSetting: {
          failover: [
            { from: "a", to: "a" },
            { from: "a/b", to: "*" },
          ],
          failoverPriority: ["topology.kubernetes.io/region", "x"],
        },
      },
      [
        'error .localityLbSetting.failoverPriority[0]: "topology.kubernetes.io/region" must not',
        "warning .localityLbSetting: has no failover without outlierDetection",
        "error .localityLbSetting.failover[0].to: must be another region",
        "error .localityLbSetting.failover[1].from: must be a region",
        "error .localityLbSetting.failover[1].to: must be a region",
      ],
    ],
  ])("with load balancer %j gives %j", (loadBalancer, starts) => {
    const path = "spec.trafficPolicy.loadBalancer";
    const found = issuesOf({ host: "a", trafficPolicy: { loadBalancer } });
    expect(found).toEqual(starting(starts, path));
  });
});
