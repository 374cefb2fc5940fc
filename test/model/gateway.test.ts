import { describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import type { FilterChain, Listener } from "../../src/model/listener.ts";
import type { Mesh } from "../../src/model/mesh.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { buildProxyView, type ProxyView } from "../../src/model/proxy-view.ts";
import { meshOf, sidecar } from "./world.ts";

const LABELS = { istio: "ingressgateway" };

/** A gateway's pod, with certificates as Istio's agent hands them out. */
function gatewayPod(metadata: Record<string, unknown> = {}, ips?: readonly string[]): ProxyNode {
  return sidecar({ type: "router", labels: LABELS, metadata, ...(ips && { ips }) });
}

function gateway(name: string, servers: string, metadata = ""): string {
  return `{ apiVersion: networking.istio.io/v1, kind: Gateway, metadata: { name: ${name}${metadata} }, spec: { selector: { istio: ingressgateway }, servers: ${servers} } }`;
}

function http(number: number, hosts: string, rest = ""): string {
  return `{ port: { number: ${number}, name: http-${number}, protocol: HTTP }, hosts: ${hosts}${rest} }`;
}

function https(
  number: number,
  name: string,
  hosts: string,
  tls = "{ mode: SIMPLE, credentialName: cert }",
): string {
  return `{ port: { number: ${number}, name: ${name}, protocol: HTTPS }, hosts: ${hosts}, tls: ${tls} }`;
}

function virtualService(name: string, spec: string, metadata = ""): string {
  return `{ apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: { name: ${name}${metadata} }, spec: ${spec} }`;
}

function routeTo(host: string, uri = "/"): string {
  return `http: [{ match: [{ uri: { prefix: ${uri} } }], route: [{ destination: { host: ${host}, port: { number: 80 } } }] }]`;
}

function viewOf(mesh: Mesh, proxy = gatewayPod()): ProxyView {
  return buildProxyView(mesh, proxy);
}

function issues({ issues: found }: ProxyView): readonly string[] {
  return found.map(({ object, issue }) => `${object.name}: ${formatIssue(issue)}`);
}

/** `virtual host: route, route` of a route configuration. */
function hosts(view: ProxyView, name: string): readonly string[] {
  const found = view.own.routes.find((one) => one.name === name);
  return (found?.virtualHosts ?? []).map(
    ({ name: host, routes, requiresTls }) =>
      `${host}${requiresTls === true ? " (tls)" : ""}: ${routes
        .map(({ match, action }) =>
          action.type === "forward" ? `${match.path.value} ${action.clusters[0]?.name}` : "?",
        )
        .join(", ")}`,
  );
}

function listener(view: ProxyView, name: string): Listener {
  const found = view.own.listeners.find((one) => one.name === name);
  if (found === undefined)
    throw new Error(`${name}: ${view.own.listeners.map((one) => one.name).join(", ")}`);
  return found;
}

function chainText({ match, filter, tls }: FilterChain): string {
  const names = match.serverNames?.join(",") ?? "*";
  const target =
    filter.type === "http"
      ? JSON.stringify(filter.routes)
      : filter.clusters.map(({ name }) => name).join("+");
  return `${names} ${tls === undefined ? "plain" : "tls"} ${target}`;
}

const A = "outbound|80||a.default.svc.cluster.local";
const B = "outbound|80||b.default.svc.cluster.local";

describe("plain HTTP servers", () => {
  test("share a port: their hosts stand side by side", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${http(80, "[a.com]")}]`),
        gateway("two", `[${http(80, "[b.com]")}]`),
        virtualService("a", `{ hosts: [a.com], gateways: [one], ${routeTo("a")} }`),
        virtualService("b", `{ hosts: [b.com], gateways: [two], ${routeTo("b")} }`),
      ),
    );
    expect(view.own.listeners.map(({ name }) => name)).toEqual(["0.0.0.0_80"]);
    expect(hosts(view, "http.80")).toEqual([`a.com:80: / ${A}`, `b.com:80: / ${B}`]);
  });

  test("serve a host by all VirtualServices that are bound: the oldest first, what takes all last", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${http(80, "['*.com']")}]`),
        virtualService("all", `{ hosts: [x.com], gateways: [one], ${routeTo("a")} }`),
        virtualService("part", `{ hosts: [x.com], gateways: [one], ${routeTo("b", "/b")} }`),
      ),
    );
    expect(hosts(view, "http.80")).toEqual([`x.com:80: /b ${B}, / ${A}`]);
  });

  test("take the narrower of a server's host and a VirtualService's", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${http(80, "['*.x.com', y.com]")}]`),
        virtualService(
          "a",
          `{ hosts: ['*.a.x.com', '*.com'], gateways: [one], ${routeTo("a")} }`.replace(
            "'*.a.x.com', ",
            "",
          ),
        ),
      ),
    );
    expect(hosts(view, "http.80")).toEqual([`y.com:80: / ${A}`, `*.x.com:80: / ${A}`]);
  });

  test("let a host's namespace say whose VirtualServices may bind to it", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${http(80, "['other/a.com', './b.com']")}]`),
        virtualService("a", `{ hosts: [a.com], gateways: [one], ${routeTo("a")} }`),
        virtualService("b", `{ hosts: [b.com], gateways: [one], ${routeTo("b")} }`),
      ),
    );
    expect(hosts(view, "http.80")).toEqual([`b.com:80: / ${B}`]);
  });

  test("do not serve a VirtualService that is not exported to the gateway", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${http(80, "[a.com]")}]`),
        virtualService(
          "a",
          `{ hosts: [a.com], gateways: [default/one], exportTo: ['.'], ${routeTo("a")} }`,
          ", namespace: other",
        ),
      ),
    );
    expect(hosts(view, "http.80")).toEqual(["blackhole:80: "]);
  });

  test("redirect to https, with a VirtualService or without", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${http(80, "[a.com, b.com]", ", tls: { httpsRedirect: true }")}]`),
        virtualService("a", `{ hosts: [a.com], gateways: [one], ${routeTo("a")} }`),
      ),
    );
    expect(hosts(view, "http.80")).toEqual([`a.com:80 (tls): / ${A}`, "b.com:80 (tls): "]);
  });

  test("may listen on an address, and then have routes of their own", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${http(80, "[a.com]", ", bind: 127.0.0.9")}]`),
        gateway("two", `[${http(80, "[b.com]")}]`),
      ),
    );
    expect(view.own.listeners.map(({ name }) => name)).toEqual(["0.0.0.0_80", "127.0.0.9_80"]);
    expect(view.own.routes.map(({ name }) => name)).toEqual(["http.80", "http.80.127.0.0.9"]);
  });
});

describe("servers with TLS", () => {
  test("share a port where their hosts differ, each with a chain and routes of its own", () => {
    const view = viewOf(
      meshOf(
        gateway(
          "one",
          `[${https(443, "https-a", "[a.com]")}, ${https(443, "https-b", "['*.b.com']")}]`,
        ),
        virtualService("a", `{ hosts: [a.com], gateways: [one], ${routeTo("a")} }`),
      ),
    );
    expect(listener(view, "0.0.0.0_443").chains.map(chainText)).toEqual([
      'a.com tls "https.443.https-a.one.default"',
      '*.b.com tls "https.443.https-b.one.default"',
    ]);
    expect(hosts(view, "https.443.https-a.one.default")).toEqual([`a.com:443: / ${A}`]);
    expect(hosts(view, "https.443.https-b.one.default")).toEqual(["blackhole:443: "]);
  });

  test("of one name on one port: the oldest Gateway's counts", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${https(443, "https", "[a.com]")}]`),
        gateway("two", `[${https(443, "https", "[b.com, a.com]")}]`),
      ),
    );
    expect(listener(view, "0.0.0.0_443").chains).toHaveLength(1);
    expect(issues(view)).toEqual([
      'two: warning: spec.servers[0].hosts[1]: "a.com" is served on this port by spec.servers[0] of Gateway/default/one, which comes first: the server is left out'.replace(
        "warning: ",
        "",
      ),
    ]);
  });

  test("cannot share a port with plain HTTP: the oldest Gateway decides", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${http(443, "[a.com]")}]`),
        gateway("two", `[${https(443, "https", "[b.com]")}]`),
      ),
    );
    expect(listener(view, "0.0.0.0_443").chains.map(chainText)).toEqual(['* plain "http.443"']);
    expect(issues(view)[0]).toContain(
      "two: spec.servers[0].port.number: 443 is plain HTTP in spec.servers[0] of Gateway/default/one, which comes first",
    );
  });

  test.each([
    [
      "{ mode: SIMPLE, credentialName: c }",
      {
        certificates: [{ type: "sds", name: "kubernetes://c" }],
        trusted: undefined,
        isClientCertificateRequired: false,
      },
    ],
    [
      "{ mode: MUTUAL, credentialName: c, subjectAltNames: [x] }",
      {
        trusted: { type: "sds", name: "kubernetes://c-cacert" },
        isClientCertificateRequired: true,
        subjectAltNames: ["x"],
      },
    ],
    [
      "{ mode: OPTIONAL_MUTUAL, credentialName: c }",
      {
        trusted: { type: "sds", name: "kubernetes://c-cacert" },
        isClientCertificateRequired: false,
      },
    ],
    [
      "{ mode: ISTIO_MUTUAL }",
      {
        certificates: [{ type: "sds", name: "default" }],
        trusted: { type: "sds", name: "ROOTCA" },
        isClientCertificateRequired: true,
      },
    ],
    [
      "{ mode: SIMPLE, serverCertificate: /c.pem, privateKey: /k.pem, minProtocolVersion: TLSV1_3 }",
      {
        certificates: [{ type: "files", certificate: "/c.pem", privateKey: "/k.pem" }],
        minVersion: "TLSV1_3",
      },
    ],
    [
      "{ mode: SIMPLE, credentialNames: [r, e] }",
      {
        certificates: [
          { type: "sds", name: "kubernetes://r" },
          { type: "sds", name: "kubernetes://e" },
        ],
      },
    ],
  ])("end it as %s says", (tls, expected) => {
    const view = viewOf(meshOf(gateway("one", `[${https(443, "https", "[a.com]", tls)}]`)));
    expect(listener(view, "0.0.0.0_443").chains[0]?.tls).toMatchObject(expected);
  });

  test("are closed on a gateway that gets no secrets, and their authors learn it", () => {
    const portable = gatewayPod({ INTERCEPTION_MODE: "NONE", WEFT_PROXY: "weft" });
    const view = viewOf(meshOf(gateway("one", `[${https(443, "https", "[a.com]")}]`)), portable);
    expect(issues(view)[0]).toContain(
      'spec.servers[0].tls.credentialName: the gateway client-1 cannot be given the certificate "kubernetes://cert"',
    );
  });

  test("pass it on by SNI as VirtualServices say", () => {
    const server =
      "{ port: { number: 443, name: tls, protocol: TLS }, hosts: ['*.com'], tls: { mode: PASSTHROUGH } }";
    const view = viewOf(
      meshOf(
        gateway("one", `[${server}]`),
        virtualService(
          "a",
          "{ hosts: [a.com], gateways: [one], tls: [{ match: [{ sniHosts: [a.com] }], route: [{ destination: { host: a, port: { number: 80 } } }] }] }",
        ),
      ),
    );
    expect(listener(view, "0.0.0.0_443").chains.map(chainText)).toEqual([`a.com plain ${A}`]);
  });

  test("pass mutual TLS on to every service of the mesh that their hosts name", () => {
    const server =
      "{ port: { number: 15443, name: tls, protocol: TLS }, hosts: ['*.local'], tls: { mode: AUTO_PASSTHROUGH } }";
    const view = viewOf(
      meshOf(
        gateway("one", `[${server}]`),
        "{ apiVersion: v1, kind: Service, metadata: { name: a }, spec: { clusterIP: 10.0.0.1, ports: [{ name: http, port: 80 }] } }",
      ),
    );
    const name = "outbound_.80_._.a.default.svc.cluster.local";
    expect(listener(view, "0.0.0.0_15443").chains.map(chainText)).toEqual([
      `${name} plain ${name}`,
    ]);
    expect(view.own.clusters.find((one) => one.name === name)?.discovery).toEqual({
      type: "eds",
      serviceName: A,
    });
  });
});

describe("TCP servers", () => {
  const server = "{ port: { number: 9000, name: tcp, protocol: TCP }, hosts: ['*'] }";

  test("send everything where a VirtualService says", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${server}]`),
        virtualService(
          "a",
          "{ hosts: ['*'], gateways: [one], tcp: [{ match: [{ port: 9000 }], route: [{ destination: { host: a, port: { number: 80 } } }] }] }",
        ),
      ),
    );
    expect(listener(view, "0.0.0.0_9000").chains.map(chainText)).toEqual([`* plain ${A}`]);
  });

  test("are not there without one", () => {
    const view = viewOf(meshOf(gateway("one", `[${server}]`)));
    expect(view.own.listeners).toEqual([]);
    expect(issues(view)).toEqual([
      "one: spec.servers[0]: no VirtualService has a route for it: the server is not there",
    ]);
  });

  test("cannot share a port: the oldest Gateway's counts", () => {
    const view = viewOf(
      meshOf(
        gateway("one", `[${server}]`),
        gateway("two", `[${server}]`),
        virtualService(
          "a",
          "{ hosts: ['*'], gateways: [one, two], tcp: [{ route: [{ destination: { host: a, port: { number: 80 } } }] }] }",
        ),
      ),
    );
    expect(issues(view)[0]).toContain("two: spec.servers[0].port.number: 9000 is taken by");
  });
});

describe("the ports of a gateway", () => {
  const service = (name: string, targetPort: number, labels = ""): string =>
    `{ apiVersion: v1, kind: Service, metadata: { name: ${name}${labels} }, spec: { clusterIP: 10.0.0.1, selector: { istio: ingressgateway }, ports: [{ name: http, port: 80, targetPort: ${targetPort} }] } }`;

  test("are the targets of its Service's", () => {
    const view = viewOf(meshOf(service("gw", 8080), gateway("one", `[${http(80, "[a.com]")}]`)));
    expect(view.own.listeners.map(({ name }) => name)).toEqual(["0.0.0.0_8080"]);
    expect(view.own.routes.map(({ name }) => name)).toEqual(["http.8080"]);
  });

  test("are its own where the Service's label says so", () => {
    const label = ", labels: { experimental.istio.io/disable-gateway-port-translation: 'true' }";
    const view = viewOf(
      meshOf(service("gw", 8080, label), gateway("one", `[${http(80, "[a.com]")}]`)),
    );
    expect(view.own.listeners.map(({ name }) => name)).toEqual(["0.0.0.0_80"]);
  });

  test("are none that the pod may not bind", () => {
    const proxy = gatewayPod({ UNPRIVILEGED_POD: "true" });
    const view = viewOf(
      meshOf(gateway("one", `[${http(80, "[a.com]")}, ${http(8080, "[a.com]")}]`)),
      proxy,
    );
    expect(view.own.listeners.map(({ name }) => name)).toEqual(["0.0.0.0_8080"]);
    expect(issues(view)[0]).toContain("the pod client-1 may not bind port 80");
  });

  test("are those of the services that the Gateway names, and no others", () => {
    const named =
      ", annotations: { internal.istio.io/gateway-service: gw.default.svc.cluster.local }";
    const mesh = meshOf(
      service("gw", 8080),
      gateway("one", `[${http(80, "[a.com]")}, ${http(81, "[a.com]")}]`, named),
    );
    const view = viewOf(mesh);
    expect(view.own.listeners.map(({ name }) => name)).toEqual(["0.0.0.0_8080"]);
    expect(issues(view)[0]).toContain("is no port of gw.default.svc.cluster.local");
  });
});
