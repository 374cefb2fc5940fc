import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";

function issuesOf(spec: object): readonly string[] {
  const result = decodeObject({
    apiVersion: "networking.istio.io/v1",
    kind: "Sidecar",
    metadata: { name: "a", namespace: "own" },
    spec,
  });
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(({ path, message, severity }) => `${severity ?? "error"} ${path}: ${message}`);
}

function starting(starts: readonly string[]): readonly unknown[] {
  return starts.map((start) => expect.stringContaining(start));
}

const ALL = { egress: [{ hosts: ["*/*"] }] };

describe("a Sidecar", () => {
  it.each<[object, readonly string[]]>([
    [{}, ["error spec: must have one of ingress, egress"]],
    [{ workloadSelector: { labels: { app: "a" } } }, ["error spec: must have one of"]],
    [{ ...ALL, workloadSelector: {} }, ["warning spec.workloadSelector.labels: selects every"]],
    [
      { ...ALL, workloadSelector: { labels: { a: "*" } } },
      ["error spec.workloadSelector.labels[a]: wildcards are not allowed"],
    ],
    [{ inboundConnectionPool: {} }, ["error spec.inboundConnectionPool: must have at least one"]],
    [{ outboundTrafficPolicy: {} }, []],
    [
      { outboundTrafficPolicy: { mode: "ALLOW_ANY_DYNAMIC_DNS" } },
      ["error spec.outboundTrafficPolicy.mode: must be one of REGISTRY_ONLY, ALLOW_ANY"],
    ],
    [
      { outboundTrafficPolicy: { egressProxy: { host: "a.b", port: { number: 1 } } } },
      ["error spec.outboundTrafficPolicy.egressProxy: may only be set with mode ALLOW_ANY"],
    ],
    [
      { outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host: "*.b" } } },
      [
        "error spec.outboundTrafficPolicy.egressProxy.host: must be a host name",
        "error spec.outboundTrafficPolicy.egressProxy.port: is required",
      ],
    ],
    [
      {
        outboundTrafficPolicy: {
          mode: "ALLOW_ANY",
          egressProxy: { host: "a", subset: "a b", port: { number: 0 } },
        },
      },
      [
        "error spec.outboundTrafficPolicy.egressProxy.subset: must be a DNS label",
        "error spec.outboundTrafficPolicy.egressProxy.port.number: must be between 1 and",
      ],
    ],
  ])("%j gives %j", (spec, expected) => {
    expect(issuesOf(spec)).toEqual(starting(expected));
  });
});

describe("egress listeners", () => {
  const HOSTS = ["*/*"];
  const at = (number: number): object => ({ port: { number, protocol: "HTTP", name: "a" } });

  it.each<[readonly object[], readonly string[]]>([
    [[{ ...at(1), hosts: HOSTS }, { hosts: HOSTS }], []],
    [
      [{ hosts: HOSTS }, { ...at(1), hosts: HOSTS }],
      ["error spec.egress[0].port: is required here"],
    ],
    [[{ hosts: HOSTS }, { hosts: HOSTS }], ["error spec.egress[0].port: is required here"]],
    [
      [
        { ...at(1), hosts: HOSTS },
        { ...at(1), hosts: HOSTS },
      ],
      ["error spec.egress[1].port.number: duplicate of 1"],
    ],
    [
      [{ port: { number: 1, protocol: "x" }, hosts: HOSTS }],
      ["error spec.egress[0].port.protocol"],
    ],
    [
      [{ port: { number: 1, name: "a b" }, hosts: HOSTS }],
      ["error spec.egress[0].port.name: must"],
    ],
    [[{ port: { number: 1, targetPort: 2 }, hosts: HOSTS }], ["error spec.egress[0].port.targetP"]],
    [[{ ...at(1), bind: "1.2.3.4", hosts: HOSTS }], []],
    [[{ ...at(1), bind: "a", hosts: HOSTS }], ["error spec.egress[0].bind: must be an IP address"]],
    [[{ ...at(0), bind: "unix:///a", hosts: HOSTS }], []],
    [[{ ...at(0), bind: "unix://@a", hosts: HOSTS }], []],
    [[{ port: { protocol: "HTTP" }, hosts: HOSTS }], ["error spec.egress[0].bind: must be a unix"]],
    [
      [{ ...at(0), bind: "unix:///a", captureMode: "IPTABLES", hosts: HOSTS }],
      ["error spec.egress[0].captureMode: must be DEFAULT or NONE"],
    ],
    [
      [
        { ...at(0), bind: "unix:///a", hosts: HOSTS },
        { ...at(0), bind: "unix:///a", hosts: HOSTS },
      ],
      ['error spec.egress[1].bind: duplicate of "unix:///a"'],
    ],
  ])("%j give %j", (egress, expected) => {
    expect(issuesOf({ egress })).toEqual(starting(expected));
  });

  it.each<[readonly string[], readonly string[]]>([
    [["*/*", "~ns1/*", "~/a.b"], []],
    [["./a.b", "ns/*", "*/*.b"], []],
    [[], ["error spec.egress[0].hosts: must not be empty"]],
    [["a.b"], ["error spec.egress[0].hosts[0]: must be <namespace>/<host>"]],
    [["/"], ["error spec.egress[0].hosts[0]: must be <namespace>/<host>, both not empty"]],
    [["ns/a"], ["error spec.egress[0].hosts[0]: must be a whole DNS name"]],
    [["ns/*a.b"], ['error spec.egress[0].hosts[0]: must have "*" only']],
    [["n s/*"], ["error spec.egress[0].hosts[0]: must begin with a namespace"]],
    [["ns/*", "ns/a.b"], ['warning spec.egress[0].hosts[1]: "ns/a.b" overlaps']],
    [["own/a.b", "./a.b"], ['warning spec.egress[0].hosts[1]: "./a.b" overlaps']],
    [["ns/a.b", "ns/*"], ['warning spec.egress[0].hosts[1]: "ns/*" overlaps']],
    [["*/*", "ns/*"], ['warning spec.egress[0].hosts: "*/*" takes all there is']],
  ])("take %j or not", (hosts, expected) => {
    expect(issuesOf({ egress: [{ hosts }] })).toEqual(starting(expected));
  });
});

describe("ingress listeners", () => {
  const port = { number: 1, protocol: "HTTP", name: "a" };
  const tlsPort = { ...port, protocol: "HTTPS" };
  const FILES = { mode: "SIMPLE", serverCertificate: "/c", privateKey: "/k" };

  it.each<[object, readonly string[]]>([
    [{ port }, []],
    [{}, ["error spec.ingress[0].port: is required"]],
    [{ port: { protocol: "HTTP" } }, ["error spec.ingress[0].port.number: must be between 1 and"]],
    [{ port, bind: "unix:///a" }, ["error spec.ingress[0].bind: must be an IP address"]],
    [{ port, bind: "127.0.0.2", captureMode: "NONE" }, []],
    [{ port: { ...port, protocol: "" } }, []],
    ...["127.0.0.1:1", "0.0.0.0:1", ":1", "[::1]:1", "[::]:1", "unix:///a"].map(
      (defaultEndpoint): [object, readonly string[]] => [{ port, defaultEndpoint }, []],
    ),
    [
      { port, defaultEndpoint: "1.2.3.4:1" },
      ["error spec.ingress[0].defaultEndpoint: must be 127"],
    ],
    [{ port, defaultEndpoint: "::1:1" }, ["error spec.ingress[0].defaultEndpoint: must be 127.0"]],
    [{ port, defaultEndpoint: "127.0.0.1" }, ["error spec.ingress[0].defaultEndpoint: must be 1"]],
    [{ port, defaultEndpoint: "127.0.0.1:x" }, ["error spec.ingress[0].defaultEndpoint: must end"]],
    [
      { port, defaultEndpoint: "127.0.0.1:0" },
      ["error spec.ingress[0].defaultEndpoint: must be b"],
    ],
    [
      { port, defaultEndpoint: "unix://a" },
      ["error spec.ingress[0].defaultEndpoint: must be unix"],
    ],
    [{ port: tlsPort, tls: FILES }, []],
    [{ port, tls: FILES }, ["error spec.ingress[0].tls: may not be set for HTTP"]],
    [
      { port: tlsPort, tls: { mode: "ISTIO_MUTUAL" } },
      ["error spec.ingress[0].tls.mode: ISTIO_MUTUAL is only for gateways"],
    ],
    [
      { port: tlsPort, tls: { mode: "SIMPLE", credentialName: "a" } },
      ["error spec.ingress[0].tls.credentialName: is only for gateways"],
    ],
    [
      { port: tlsPort, tls: { ...FILES, httpsRedirect: true, subjectAltNames: ["a"] } },
      [
        "error spec.ingress[0].tls.subjectAltNames: is only for gateways",
        "error spec.ingress[0].tls.httpsRedirect: is only for gateways",
      ],
    ],
    [
      { port, connectionPool: {} },
      ["error spec.ingress[0].connectionPool: must have at least one"],
    ],
    [
      { port: { ...port, protocol: "TCP" }, connectionPool: { http: {} } },
      ["warning spec.ingress[0].connectionPool.http: has no effect"],
    ],
  ])("%j gives %j", (listener, expected) => {
    expect(issuesOf({ ingress: [listener] })).toEqual(starting(expected));
  });

  it("have ports of their own", () => {
    expect(issuesOf({ ingress: [{ port }, { port, bind: "127.0.0.2" }] })).toEqual(
      starting(["error spec.ingress[1].port.number: duplicate of 1"]),
    );
  });
});
