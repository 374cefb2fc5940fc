import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";
import { findByName, findKind, findPlural, KINDS } from "./kinds.ts";

/** Field by field as an author writes them, so that a case says only what is wrong. */
function issuesOf(object: object): readonly string[] {
  const result = decodeObject(object);
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(({ path, message, severity }) => `${severity ?? "error"} ${path}: ${message}`);
}

function virtualService(spec: object): object {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "a" },
    spec,
  };
}

const ROUTE = [{ destination: { host: "reviews" } }];

describe("VirtualService", () => {
  it.each([
    [{ hosts: ["a"], http: [{ route: ROUTE }] }, []],
    [{ http: [{ route: ROUTE }] }, []],
    [{ hosts: ["a"] }, ['error spec: must have at least one of "http", "tls", "tcp"']],
    [{ hosts: ["*"], http: [{ route: ROUTE }] }, ['error spec.hosts[0]: "*" is only for gateways']],
    [{ hosts: ["*"], gateways: ["gw"], http: [{ route: ROUTE }] }, []],
    [
      { hosts: ["a"], gateways: ["b@d"], http: [{ route: ROUTE }] },
      ['error spec.gateways[0]: must be a host name: got "b@d"'],
    ],
    [
      { hosts: ["a"], gateways: ["x.y"], http: [{ route: ROUTE }] },
      ['warning spec.gateways[0]: "x.y" is the legacy form'],
    ],
    [
      { hosts: ["*.foo.bar", "*.bar"], http: [{ route: ROUTE }] },
      ['error spec.hosts[1]: "*.bar" overlaps with "*.foo.bar"'],
    ],
    [
      { hosts: ["a"], http: [{}] },
      ["error spec.http[0].route: HTTP route, redirect or direct_response is required"],
    ],
    [
      { hosts: ["a"], http: [{ route: [{}] }] },
      ["error spec.http[0].route[0].destination: is required"],
    ],
    [
      { hosts: ["a"], http: [{ route: [...ROUTE, ...ROUTE] }] },
      ["error spec.http[0].route: the weights of several destinations must not all be 0"],
    ],
    [
      { hosts: ["a"], http: [{ route: [{ destination: { host: "b" }, weight: -1 }] }] },
      ["error spec.http[0].route[0].weight: must not be negative: got -1"],
    ],
    [
      { hosts: ["a"], http: [{ match: [{ uri: { exact: "/", prefix: "/" } }], route: ROUTE }] },
      [
        'error spec.http[0].match[0].uri: may have only one of "exact", "prefix", "regex": got "exact" and "prefix"',
      ],
    ],
    [
      { hosts: ["a"], http: [{ match: [{ uri: { regex: "(?=a)" } }], route: ROUTE }] },
      ["error spec.http[0].match[0].uri.regex: must be an RE2 regular expression"],
    ],
    [
      { hosts: ["a"], http: [{ match: [{ headers: { "a b": {} } }], route: ROUTE }] },
      ['error spec.http[0].match[0].headers[a b]: must be a header name: got "a b"'],
    ],
    [
      { hosts: ["a"], http: [{ route: ROUTE }, { match: [{}], route: ROUTE }] },
      ["warning spec.http[1]: is never used: spec.http[0] takes every request before it"],
    ],
    [
      { hosts: ["a"], exportTo: ["."], http: [{ timeout: "0s", route: ROUTE }], tcp: [] },
      ["error spec.http[0].timeout: must be a duration of at least 1ms"],
    ],
  ])("%j gives %j", (spec, expected) => {
    const found = issuesOf(virtualService(spec));
    expect(found).toEqual(expected.map((start) => expect.stringContaining(start)));
  });
});

describe("other kinds", () => {
  it.each([
    [
      {
        apiVersion: "networking.istio.io/v1",
        kind: "DestinationRule",
        metadata: { name: "a" },
        spec: {
          host: "a",
          trafficPolicy: { loadBalancer: { simple: "RANDM", zoneAwareLbSetting: {} } },
        },
      },
      [
        "error spec.trafficPolicy.loadBalancer.simple: must be one of UNSPECIFIED",
        "error spec.trafficPolicy.loadBalancer.zoneAwareLbSetting: is not supported yet",
      ],
    ],
    [
      {
        apiVersion: "networking.istio.io/v1beta1",
        kind: "DestinationRule",
        metadata: { name: "a" },
        spec: { host: "a b", subsets: [{ name: "v1" }, { name: "v1" }, { name: "v_2" }] },
      },
      [
        'error spec.host: must be a host name: got "a b"',
        'error spec.subsets[1].name: duplicate of "v1"',
        'error spec.subsets[2].name: must be a DNS label: got "v_2"',
      ],
    ],
    [
      {
        apiVersion: "networking.istio.io/v1alpha3",
        kind: "Gateway",
        metadata: { name: "a" },
        spec: {
          servers: [
            { port: { number: 80, name: "a", protocol: "http" }, hosts: ["ns/*.example.com"] },
            { port: { number: 443, name: "a", protocol: "HTTPS" }, hosts: ["~/x"] },
            { port: { number: 1, name: "b", protocol: "HTPP" }, hosts: ["a/b/c"] },
          ],
        },
      },
      [
        'error spec.servers[1].port.name: duplicate of "a"',
        'error spec.servers[1].hosts[0]: must begin with a namespace, "*" or ".": got "~/x"',
        "error spec.servers[1].hosts[0]: must be a whole DNS name",
        "error spec.servers[1].tls: is required for HTTPS",
        "error spec.servers[2].hosts[0]: must be a whole DNS name",
        'error spec.servers[2].port.protocol: must be one of HTTP, HTTP2, GRPC, GRPC-WEB, HTTP_PROXY, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL, UDP, HBONE: got "HTPP", did you mean "HTTP"?',
      ],
    ],
    [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "A", labels: { "a b": "c", d: "e f" } },
        spec: { ports: [{ port: 1 }, { port: 2, targetPort: "x--Y" }], sessionAffinity: "None" },
      },
      [
        "error metadata.name: must be a DNS label",
        "error metadata.labels: must be a label key",
        "error metadata.labels[d]: must be a label value",
        "error spec.ports[0].name: is required where there are several ports",
        "error spec.ports[1].name: is required where there are several ports",
        "error spec.ports[1].targetPort: must be a port number or the name",
      ],
    ],
    [
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "a" },
        spec: {
          containers: [
            {
              name: "a",
              image: "b",
              resources: { limits: { cpu: 1 } },
              readinessProbe: {},
              securityContext: {},
              volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
            },
            { name: "a", command: ["x"], ports: [{ containerPort: 70_000 }] },
          ],
        },
      },
      [
        "warning spec.containers[0].resources: has no effect",
        "error spec.containers[0].readinessProbe: is not supported yet: Kubernetes knows this field",
        "error spec.containers[1].ports[0].containerPort: must be between 1 and 65535: got 70000",
        'error spec.containers[1]: duplicate of ["a"]',
      ],
    ],
    [
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "a" },
        spec: {
          selector: { matchLabels: { a: "b" } },
          template: { spec: { containers: [{ name: "c" }], volumes: [{ name: "v" }] } },
        },
      },
      [
        'error spec.template.spec.volumes[0]: volume "v" must have a source',
        "error spec.template.spec.containers[0].image: is required, where there is no command",
        "error spec.template.metadata.labels: must satisfy spec.selector: got {}",
      ],
    ],
    [
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { b: 1, "../x": "" } },
      ["error data[b]: must be text: got 1, put it in quotes"],
    ],
    [
      { apiVersion: "security.istio.io/v1", kind: "AuthorizationPolicy", metadata: { name: "a" } },
      ['kind "AuthorizationPolicy" of security.istio.io/v1 is not supported yet'],
    ],
  ])("%j gives its issues", (object, expected) => {
    expect(issuesOf(object)).toEqual(expected.map((start) => expect.stringContaining(start)));
  });

  it("fill in their defaults", () => {
    const result = decodeObject({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "a", creationTimestamp: null, managedFields: [{}] },
      spec: { ports: [{ port: 80 }] },
    });
    expect(result).toEqual({
      ok: true,
      value: {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "a" },
        spec: {
          type: "ClusterIP",
          sessionAffinity: "None",
          ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
        },
      },
    });
  });
});

describe("KINDS", () => {
  it("are found by kind, by path and by what people call them", () => {
    for (const kind of KINDS) {
      expect(findKind(kind.group, kind.kind)).toBe(kind);
      for (const version of kind.versions) {
        expect(findPlural(kind.group, version, kind.plural)).toBe(kind);
      }
      expect(findByName(`${kind.plural}.${kind.group}`.replace(/\.$/, ""))).toBe(kind);
    }
    expect(findByName("vs")?.kind).toBe("VirtualService");
    expect(findByName("deploy")?.kind).toBe("Deployment");
    expect(findPlural("apps", "v1beta1", "deployments")).toBeUndefined();
  });
});
