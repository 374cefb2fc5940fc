import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";

function issuesOf(server: object, name = "gw"): readonly string[] {
  const result = decodeObject({
    apiVersion: "networking.istio.io/v1",
    kind: "Gateway",
    metadata: { name, namespace: "own" },
    spec: { servers: [server] },
  });
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues.map(
    ({ path, message, severity }) =>
      `${severity ?? "error"} ${path.replace("spec.servers[0].", "")}: ${message}`,
  );
}

function starting(starts: readonly string[]): readonly unknown[] {
  return starts.map((start) => expect.stringContaining(start));
}

const HTTP = { number: 80, name: "http", protocol: "HTTP" };
const HTTPS = { number: 443, name: "https", protocol: "HTTPS" };
const FILES = { serverCertificate: "/c", privateKey: "/k" };

describe("servers", () => {
  it.each<[object, readonly string[]]>([
    [{ port: HTTP, hosts: ["*"] }, []],
    [{ port: HTTP, hosts: ["a.b", "*.b", "ns/a.b", "./a.b", "*/a.b", "1.2.3.4", "fd00::1"] }, []],
    [{ port: HTTP, hosts: [] }, ["error hosts: must not be empty"]],
    [{ port: HTTP, hosts: ["a"] }, ["error hosts[0]: must be a whole DNS name"]],
    [{ port: HTTP, hosts: ["a.*.b"] }, ["error hosts[0]: must be a host name"]],
    [{ port: HTTP, hosts: ["*a.b"] }, ['error hosts[0]: must have "*" only as its whole first']],
    [{ port: HTTP, hosts: ["~/a.b"] }, ["error hosts[0]: must begin with a namespace"]],
    [
      { port: HTTP, hosts: ["/a.b"] },
      ["error hosts[0]: must be <namespace>/<host>, both not empty"],
    ],
    [{ hosts: ["*"] }, ["error port: is required"]],
    [{ port: { ...HTTP, number: 0 }, hosts: ["*"] }, ["error port.number: must be between 1 and"]],
    [{ port: { ...HTTP, number: 65_536 }, hosts: ["*"] }, ["error port.number: must be between 0"]],
    [{ port: { ...HTTP, name: "" }, hosts: ["*"] }, ["error port.name: must not be empty"]],
    [{ port: { ...HTTP, targetPort: 1 }, hosts: ["*"] }, ["error port.targetPort: may not be set"]],
    [{ port: { ...HTTP, protocol: "grpc-web" }, hosts: ["*"] }, []],
    [{ port: { ...HTTP, protocol: "" }, hosts: ["*"] }, ["error port.protocol: must be one of"]],
    [
      { port: { ...HTTP, protocol: "UDP" }, hosts: ["*"] },
      ["warning port.protocol: is not served"],
    ],
    [{ port: HTTP, hosts: ["*"], bind: "10.0.0.1" }, []],
    [{ port: HTTP, hosts: ["*"], bind: "x" }, ["error bind: must be an IP address"]],
    [{ port: { ...HTTP, number: 0 }, hosts: ["*"], bind: "unix:///a/b" }, []],
    [{ port: HTTP, hosts: ["*"], bind: "unix:///a" }, ["error port.number: must be 0 with a unix"]],
    [
      { port: { ...HTTP, number: 0 }, hosts: ["*"], bind: "unix://a/" },
      ["error bind: must be unix:// and the absolute path"],
    ],
  ])("%j gives %j", (server, expected) => {
    expect(issuesOf(server)).toEqual(starting(expected));
  });

  it("must be in an object whose name a VirtualService can say", () => {
    expect(issuesOf({ port: HTTP, hosts: ["*"] }, "a.b")).toEqual(
      starting(["error metadata.name: must be a DNS label"]),
    );
  });
});

describe("TLS settings", () => {
  const of = (port: object, tls: object | undefined): readonly string[] =>
    issuesOf({ port, hosts: ["*"], ...(tls === undefined ? {} : { tls }) });

  it.each<[object, object | undefined, readonly string[]]>([
    [HTTPS, undefined, ["error tls: is required for HTTPS"]],
    [HTTPS, {}, []],
    [HTTP, { httpsRedirect: true }, []],
    [HTTPS, { httpsRedirect: true }, ["warning tls.httpsRedirect: has no effect for HTTPS"]],
    [HTTP, { mode: "SIMPLE", credentialName: "a" }, ["error tls: may have only httpsRedirect"]],
    [{ ...HTTP, protocol: "TCP" }, {}, ["error tls: may not be set for TCP"]],
    [HTTPS, { mode: "SIMPLE", ...FILES }, []],
    [
      HTTPS,
      { mode: "SIMPLE" },
      ["error tls.serverCertificate: is required", "error tls.privateKey: is required"],
    ],
    [
      HTTPS,
      { mode: "SIMPLE", ...FILES, caCrl: "/r" },
      ["error tls.caCrl: may not be set with SIM"],
    ],
    [HTTPS, { mode: "SIMPLE", credentialName: "a" }, []],
    [HTTPS, { mode: "SIMPLE", credentialNames: ["a", "b"] }, []],
    [HTTPS, { mode: "MUTUAL", ...FILES }, ["error tls.caCertificates: is required with MUTUAL"]],
    [HTTPS, { mode: "MUTUAL", ...FILES, caCertificates: "/ca" }, []],
    [HTTPS, { mode: "OPTIONAL_MUTUAL", credentialName: "a" }, []],
    [HTTPS, { mode: "SIMPLE", tlsCertificates: [FILES, FILES] }, []],
    [
      HTTPS,
      { mode: "MUTUAL", credentialName: "a", verifyCertificateHash: ["ab".repeat(32), "cd"] },
      ["error tls.verifyCertificateHash[1]: must be a SHA-256 in hexadecimal"],
    ],
    [
      HTTPS,
      { mode: "MUTUAL", credentialName: "a", verifyCertificateSpki: ["spki"] },
      ["error tls.verifyCertificateSpki[0]: must be a SHA-256 in base64"],
    ],
    [
      HTTPS,
      { mode: "SIMPLE", tlsCertificates: [{ serverCertificate: "/c" }] },
      ["error tls.tlsCertificates[0].privateKey: is required"],
    ],
    [
      HTTPS,
      { mode: "SIMPLE", tlsCertificates: [FILES, FILES, FILES] },
      ["error tls.tlsCertificates: must have at most 2 entries"],
    ],
    [
      HTTPS,
      { mode: "SIMPLE", credentialName: "a", credentialNames: ["b"] },
      [
        "error tls: may have its certificates from one source: got credentialName and credentialNames",
      ],
    ],
    [
      HTTPS,
      { mode: "SIMPLE", credentialName: "a", ...FILES },
      ["error tls: may have its certificates from one source"],
    ],
    [
      HTTPS,
      { mode: "ISTIO_MUTUAL", credentialName: "a", privateKey: "/k" },
      ["error tls.privateKey: may not be set", "error tls.credentialName: may not be set"],
    ],
    [
      HTTPS,
      { credentialName: "a" },
      ["warning tls.credentialName: has no effect with PASSTHROUGH"],
    ],
    [HTTPS, { mode: "NONE" }, ["error tls.mode: must be one of PASSTHROUGH, SIMPLE"]],
    [
      HTTPS,
      { cipherSuites: ["X", "AES128-SHA", "AES128-SHA"] },
      ['warning tls.cipherSuites[0]: is left out: "X"', "warning tls.cipherSuites[2]: duplicate"],
    ],
    [HTTPS, { ecdhCurves: ["P-256", "X"] }, ['warning tls.ecdhCurves[1]: is left out: "X"']],
    [
      HTTPS,
      { minProtocolVersion: "TLSV1_3", maxProtocolVersion: "TLSV1_2" },
      ["error tls.maxProtocolVersion: must not be older than minProtocolVersion"],
    ],
    [HTTPS, { minProtocolVersion: "TLSV1_0" }, ["warning tls.minProtocolVersion: needs cipher"]],
    [HTTPS, { minProtocolVersion: "TLSV1_1", cipherSuites: ["AES128-SHA"] }, []],
  ])("of %j may be %j or not", (port, tls, expected) => {
    expect(of(port, tls)).toEqual(starting(expected));
  });
});
