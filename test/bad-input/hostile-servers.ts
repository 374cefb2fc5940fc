import { istio, service } from "../model/world.ts";
import { all, entry, gw, type HostileObjects, many, se, server, vs } from "./hostile-yaml.ts";

const TLS = ", tls: { mode: SIMPLE, credentialName: cert }";

/** Gateways. */
export const GATEWAYS: readonly HostileObjects[] = [
  { name: "one host twice in other letters", yaml: gw(server("X.io, x.io")) },
  {
    name: "one host of two servers of one port",
    yaml: gw(`${server("x.io")}, ${server("x.io").replace("p80", "q80")}`),
  },
  { name: "two servers of one name", yaml: gw(`${server("x.io")}, ${server("y.io")}`) },
  {
    name: "HTTP and HTTPS on one port",
    yaml: gw(`${server("x.io")}, ${server("y.io", 80, "HTTPS", TLS).replace("p80", "q80")}`),
  },
  {
    name: "HTTP and TCP on one port",
    yaml: gw(`${server("x.io")}, ${server("y.io", 80, "TCP").replace("p80", "q80")}`),
  },
  { name: "port 0", yaml: gw(server("x.io", 0)) },
  { name: "port 65535", yaml: gw(server("x.io", 65535)) },
  { name: "port 65536", yaml: gw(server("x.io", 65536)) },
  { name: "a protocol that is none", yaml: gw(server("x.io", 80, "CARRIER-PIGEON")) },
  { name: "HTTPS without tls", yaml: gw(server("x.io", 443, "HTTPS")) },
  {
    name: "one TLS host of two gateways",
    yaml: all(
      gw(server("x.io", 443, "HTTPS", TLS)),
      gw(server("x.io", 443, "HTTPS", TLS), "second.istio-system"),
    ),
  },
  {
    name: "one TLS host, with other letters, of two gateways",
    yaml: all(
      gw(server("x.io", 443, "HTTPS", TLS)),
      gw(server("X.IO", 443, "HTTPS", TLS), "second.istio-system"),
    ),
  },
  {
    name: "TLS for * and for names",
    yaml: gw(
      `${server("'*'", 443, "HTTPS", TLS)}, ${server("x.io, '*.io'", 443, "HTTPS", TLS).replace("p443", "q443")}`,
    ),
  },
  { name: "one TLS host twice", yaml: gw(server("x.io, x.io", 443, "HTTPS", TLS)) },
  {
    name: "two TCP servers on one port",
    yaml: gw(
      `${server("'*'", 9000, "TCP")}, ${server("x.io", 9000, "TCP").replace("p9000", "q9000")}`,
    ),
  },
  { name: "a server without hosts", yaml: gw(server("")) },
  { name: "a host of a namespace that is not there", yaml: gw(server("nowhere/x.io")) },
  { name: "a host of ./", yaml: gw(server("./x.io")) },
  { name: "a host of ~/", yaml: gw(server("'~/x.io'")) },
  { name: "a gateway's host in unicode", yaml: gw(server("bücher.example")) },
  { name: "a gateway's host with a trailing dot", yaml: gw(server("x.io.")) },
  { name: "a gateway's host with a port", yaml: gw(server("'x.io:80'")) },
  { name: "a bind to another address", yaml: gw(server("x.io", 80, "HTTP", ", bind: 10.9.9.9")) },
  { name: "a bind to a name", yaml: gw(server("x.io", 80, "HTTP", ", bind: here")) },
  { name: "a bind to IPv6", yaml: gw(server("x.io", 80, "HTTP", ", bind: '::'")) },
  {
    name: "a gateway for nobody",
    yaml: istio(
      "Gateway",
      "hostile",
      `{ selector: { app: nobody }, servers: [${server("x.io")}] }`,
    ),
  },
  {
    name: "a gateway for everybody",
    yaml: istio("Gateway", "hostile", `{ servers: [${server("x.io")}] }`),
  },
  {
    name: "TLS between versions that cross",
    yaml: gw(
      server(
        "x.io",
        443,
        "HTTPS",
        ", tls: { mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_0 }",
      ),
    ),
  },
  {
    name: "a cipher that there is not",
    yaml: gw(
      server(
        "x.io",
        443,
        "HTTPS",
        ", tls: { mode: SIMPLE, credentialName: c, cipherSuites: [OOPS] }",
      ),
    ),
  },
  {
    name: "a certificate hash that is none",
    yaml: gw(
      server(
        "x.io",
        443,
        "HTTPS",
        ", tls: { mode: MUTUAL, credentialName: c, verifyCertificateHash: [zz] }",
      ),
    ),
  },
  {
    name: "a key that is none",
    yaml: gw(
      server(
        "x.io",
        443,
        "HTTPS",
        ", tls: { mode: MUTUAL, credentialName: c, verifyCertificateSpki: ['?'] }",
      ),
    ),
  },
  {
    name: "passthrough of HTTP",
    yaml: gw(server("x.io", 443, "HTTP", ", tls: { mode: PASSTHROUGH }")),
  },
  { name: "500 servers", yaml: gw(many(500, (at) => server(`h${at}.io`, 1024 + at))) },
  {
    name: "500 TLS servers on one port",
    yaml: gw(
      many(
        500,
        (at) =>
          `{ port: { number: 443, name: p${at}, protocol: HTTPS }, hosts: [h${at}.io]${TLS} }`,
      ),
    ),
  },
  {
    name: "routes of two objects for one host of a gateway",
    yaml: all(
      gw(server("x.io")),
      vs(
        "{ hosts: [x.io], gateways: [istio-system/hostile], http: [{ match: [{ uri: { prefix: /x } }], route: [{ destination: { host: a } }] }] }",
      ),
      vs(
        "{ hosts: [X.io], gateways: [istio-system/hostile], http: [{ match: [{ uri: { prefix: /x } }], route: [{ destination: { host: b } }] }] }",
        "second",
      ),
    ),
  },
  {
    name: "routes for other letters than the gateway's",
    yaml: all(
      gw(server("X.io")),
      vs(
        "{ hosts: [x.IO], gateways: [istio-system/hostile], http: [{ route: [{ destination: { host: a, port: { number: 80 } } }] }] }",
      ),
    ),
  },
];

/** ServiceEntries, and services that look like them. */
export const ENTRIES: readonly HostileObjects[] = [
  { name: "a Kubernetes host", yaml: entry("a.default.svc.cluster.local") },
  { name: "a Kubernetes host that is not there", yaml: entry("gone.default.svc.cluster.local") },
  { name: "a short host", yaml: entry("a") },
  {
    name: "all of IPv4",
    yaml: se(
      "hosts: [x.io], addresses: [0.0.0.0/0], ports: [{ number: 90, name: tcp, protocol: TCP }], resolution: NONE",
    ),
  },
  {
    name: "all of IPv6",
    yaml: se(
      "hosts: [x.io], addresses: ['::/0'], ports: [{ number: 90, name: tcp, protocol: TCP }], resolution: NONE",
    ),
  },
  {
    name: "the address of a service",
    yaml: se(
      "hosts: [x.io], addresses: [10.96.0.1], ports: [{ number: 90, name: tcp, protocol: TCP }], resolution: NONE",
    ),
  },
  {
    name: "one address of two entries",
    yaml: all(
      se(
        "hosts: [x.io], addresses: [240.9.0.1], ports: [{ number: 90, name: tcp, protocol: TCP }], resolution: DNS",
      ),
      se(
        "hosts: [y.io], addresses: [240.9.0.1], ports: [{ number: 90, name: tcp, protocol: TCP }], resolution: DNS",
        "second",
      ),
    ),
  },
  {
    name: "an address with bits behind its mask",
    yaml: se(
      "hosts: [x.io], addresses: [10.1.2.3/8], ports: [{ number: 90, name: tcp, protocol: TCP }], resolution: NONE",
    ),
  },
  {
    name: "an address twice",
    yaml: se(
      "hosts: [x.io], addresses: [10.1.2.3, 10.1.2.3, 10.1.2.3/32], ports: [{ number: 90, name: tcp, protocol: TCP }], resolution: NONE",
    ),
  },
  { name: "an address that is a name", yaml: entry("x.io", ", addresses: [y.io]") },
  {
    name: "port 0 of an entry",
    yaml: entry("x.io", "", "{ number: 0, name: http, protocol: HTTP }"),
  },
  {
    name: "port 65535 of an entry",
    yaml: entry("x.io", "", "{ number: 65535, name: http, protocol: HTTP }"),
  },
  {
    name: "port 65536 of an entry",
    yaml: entry("x.io", "", "{ number: 65536, name: http, protocol: HTTP }"),
  },
  {
    name: "one port twice",
    yaml: entry(
      "x.io",
      "",
      "{ number: 80, name: http, protocol: HTTP }, { number: 80, name: tcp, protocol: TCP }",
    ),
  },
  {
    name: "one port name twice",
    yaml: entry(
      "x.io",
      "",
      "{ number: 80, name: http, protocol: HTTP }, { number: 81, name: http, protocol: TCP }",
    ),
  },
  {
    name: "a target port of 65536",
    yaml: entry("x.io", "", "{ number: 80, targetPort: 65536, name: http, protocol: HTTP }"),
  },
  {
    name: "a protocol that is none, of an entry",
    yaml: entry("x.io", "", "{ number: 80, name: x, protocol: PIGEON }"),
  },
  { name: "no ports", yaml: se("hosts: [x.io], resolution: DNS") },
  { name: "no hosts", yaml: entry("") },
  { name: "a wildcard that is to be looked up", yaml: entry("'*.io'") },
  { name: "the host * of an entry", yaml: entry("'*'") },
  {
    name: "static without endpoints",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC",
    ),
  },
  {
    name: "endpoints of nobody's addresses",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 0.0.0.0 }, { address: 255.255.255.255 }, { address: '::' }]",
    ),
  },
  {
    name: "an endpoint that is a name, static",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: y.io }]",
    ),
  },
  {
    name: "an endpoint of weight 0 and one of 2^32",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 1.1.1.1, weight: 0 }, { address: 1.1.1.2, weight: 4294967296 }]",
    ),
  },
  {
    name: "endpoints whose weights are too much together",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 1.1.1.1, weight: 4294967295 }, { address: 1.1.1.2, weight: 4294967295 }]",
    ),
  },
  {
    name: "DNS endpoints whose weights are too much together",
    yaml: entry(
      "x.io",
      ", endpoints: [{ address: y.io, weight: 4294967295 }, { address: z.io, weight: 4294967295 }]",
    ),
  },
  {
    name: "one endpoint twice",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 1.1.1.1 }, { address: 1.1.1.1 }]",
    ),
  },
  {
    name: "an endpoint at a socket",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 'unix:///tmp/x' }]",
    ),
  },
  {
    name: "an endpoint at a relative socket",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 'unix://x' }]",
    ),
  },
  {
    name: "an endpoint at an abstract socket",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 'unix://@x' }]",
    ),
  },
  {
    name: "an endpoint at a socket of 200 letters",
    yaml: se(
      `hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 'unix:///${"x".repeat(200)}' }]`,
    ),
  },
  {
    name: "endpoints and a selector",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, workloadSelector: { labels: { app: a } }, endpoints: [{ address: 1.1.1.1 }]",
    ),
  },
  {
    name: "an endpoint's port that the entry has not",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 1.1.1.1, ports: { other: 1 } }]",
    ),
  },
  {
    name: "an endpoint's port of 65536",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 1.1.1.1, ports: { http: 65536 } }]",
    ),
  },
  {
    name: "an endpoint with an odd locality",
    yaml: se(
      "hosts: [x.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 1.1.1.1, locality: '///a/b/c/d' }]",
    ),
  },
  { name: "an entry exported to nobody", yaml: entry("x.io", ", exportTo: ['~']") },
  { name: "an entry in unicode", yaml: entry("bücher.example") },
  { name: "an entry in upper case", yaml: entry("X.IO") },
  { name: "an entry with a trailing dot", yaml: entry("x.io.") },
  {
    name: "one host of two entries",
    yaml: all(
      entry("x.io"),
      se(
        "hosts: [x.io], ports: [{ number: 80, name: tcp, protocol: TCP }], resolution: NONE",
        "second",
      ),
    ),
  },
  {
    name: "one host of two entries in other letters",
    yaml: all(
      entry("x.io"),
      se(
        "hosts: [X.io], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS",
        "second",
      ),
    ),
  },
  { name: "an odd name in the certificate", yaml: entry("x.io", ", subjectAltNames: ['', 'a b']") },
  {
    name: "500 addresses",
    yaml: se(
      `hosts: [x.io], addresses: [${many(500, (at) => `240.8.${at >> 8}.${at & 255}`)}], ports: [{ number: 90, name: tcp, protocol: TCP }], resolution: NONE`,
    ),
  },
  {
    name: "headless with 500 endpoints",
    yaml: `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: bare-1, namespace: default, labels: { kubernetes.io/service-name: bare } }
addressType: IPv4
ports: [{ name: http, port: 80 }, { name: tcp, port: 90 }]
endpoints: [${many(500, (at) => `{ addresses: [10.3.${at >> 8}.${at & 255}], conditions: { ready: true } }`)}]`,
  },
  {
    name: "two services of one address",
    yaml: all(
      service("one", { ip: "10.96.0.9", ports: ["tcp:90", "http:80"] }),
      service("two", { ip: "10.96.0.9", ports: ["tcp:90", "http:80"] }),
    ),
  },
  {
    name: "a workload at an odd address",
    yaml: istio("WorkloadEntry", "hostile", "{ address: 'a b', labels: { app: a } }"),
  },
  {
    name: "a workload without an address",
    yaml: istio("WorkloadEntry", "hostile", "{ labels: { app: a } }"),
  },
  {
    name: "a workload of weight 2^32",
    yaml: istio(
      "WorkloadEntry",
      "hostile",
      "{ address: 1.1.1.1, weight: 4294967296, labels: { app: a } }",
    ),
  },
  {
    name: "a Service that is itself elsewhere",
    yaml: "apiVersion: v1\nkind: Service\nmetadata: { name: loop, namespace: default }\nspec: { type: ExternalName, externalName: loop.default.svc.cluster.local, ports: [{ name: http, port: 80 }] }",
  },
  {
    name: "two Services that are each other elsewhere",
    yaml: all(
      "apiVersion: v1\nkind: Service\nmetadata: { name: one, namespace: default }\nspec: { type: ExternalName, externalName: two.default.svc.cluster.local, ports: [{ name: http, port: 80 }] }",
      "apiVersion: v1\nkind: Service\nmetadata: { name: two, namespace: default }\nspec: { type: ExternalName, externalName: one.default.svc.cluster.local, ports: [{ name: http, port: 80 }] }",
    ),
  },
  {
    name: "a Service elsewhere at an odd name",
    yaml: "apiVersion: v1\nkind: Service\nmetadata: { name: odd, namespace: default }\nspec: { type: ExternalName, externalName: 'bücher example', ports: [{ name: http, port: 80 }] }",
  },
];
