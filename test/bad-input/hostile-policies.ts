import { istio } from "../model/world.ts";
import { all, dr, type HostileObjects, many, policy, sc } from "./hostile-yaml.ts";

/** DestinationRules. */
export const POLICIES: readonly HostileObjects[] = [
  {
    name: "a DestinationRule for *",
    yaml: istio(
      "DestinationRule",
      "hostile",
      "{ host: '*', trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } } }",
    ),
  },
  {
    name: "a DestinationRule for an unknown host",
    yaml: istio("DestinationRule", "hostile", "{ host: nobody }"),
  },
  {
    name: "a DestinationRule for a host in upper case",
    yaml: istio("DestinationRule", "hostile", "{ host: A }"),
  },
  {
    name: "two DestinationRules for one host",
    yaml: all(
      dr("subsets: [{ name: v1, labels: { version: v1 } }]"),
      dr(
        "subsets: [{ name: v1, labels: { version: v2 } }], trafficPolicy: { tls: { mode: DISABLE } }",
        "second",
      ),
    ),
  },
  { name: "a subset with no labels", yaml: dr("subsets: [{ name: v1 }]") },
  { name: "a subset with empty labels", yaml: dr("subsets: [{ name: v1, labels: {} }]") },
  {
    name: "a subset that nobody has",
    yaml: dr("subsets: [{ name: v9, labels: { version: v9 } }]"),
  },
  {
    name: "a subset twice",
    yaml: dr("subsets: [{ name: v1, labels: { a: b } }, { name: v1, labels: { a: c } }]"),
  },
  { name: "a subset with an odd name", yaml: dr("subsets: [{ name: 'a|b c', labels: { a: b } }]") },
  { name: "a subset with no name", yaml: dr("subsets: [{ name: '', labels: { a: b } }]") },
  { name: "a label that is none", yaml: dr("subsets: [{ name: v1, labels: { 'a b': 'c d' } }]") },
  {
    name: "500 subsets",
    yaml: dr(`subsets: [${many(500, (at) => `{ name: s${at}, labels: { version: v${at} } }`)}]`),
  },
  {
    name: "a cookie with spaces",
    yaml: policy("loadBalancer: { consistentHash: { httpCookie: { name: 'a b', ttl: 0s } } }"),
  },
  {
    name: "a cookie with a line break",
    yaml: policy('loadBalancer: { consistentHash: { httpCookie: { name: "a\\r\\nb", ttl: 1s } } }'),
  },
  {
    name: "a cookie with no name",
    yaml: policy("loadBalancer: { consistentHash: { httpCookie: { name: '', ttl: 0s } } }"),
  },
  {
    name: "a cookie of 10000 years",
    yaml: policy("loadBalancer: { consistentHash: { httpCookie: { name: a, ttl: 87600000h } } }"),
  },
  {
    name: "a cookie with an odd path",
    yaml: policy(
      'loadBalancer: { consistentHash: { httpCookie: { name: a, path: "/x; y", ttl: 1s } } }',
    ),
  },
  {
    name: "a hash of a header that is none",
    yaml: policy("loadBalancer: { consistentHash: { httpHeaderName: 'a b' } }"),
  },
  { name: "a hash of nothing", yaml: policy("loadBalancer: { consistentHash: {} }") },
  {
    name: "a ring of 2^40",
    yaml: policy(
      "loadBalancer: { consistentHash: { useSourceIp: true, ringHash: { minimumRingSize: 1099511627776 } } }",
    ),
  },
  {
    name: "a ring of 0",
    yaml: policy(
      "loadBalancer: { consistentHash: { useSourceIp: true, ringHash: { minimumRingSize: 0 } } }",
    ),
  },
  {
    name: "a table of 4",
    yaml: policy(
      "loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 4 } } }",
    ),
  },
  {
    name: "a table of 2^40",
    yaml: policy(
      "loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 1099511627776 } } }",
    ),
  },
  {
    name: "a warm-up of 100 years",
    yaml: policy(
      "loadBalancer: { simple: ROUND_ROBIN, warmup: { duration: 876000h, minimumPercent: 0, aggression: 0.0001 } }",
    ),
  },
  {
    name: "a warm-up of 200 percent",
    yaml: policy(
      "loadBalancer: { simple: ROUND_ROBIN, warmup: { duration: 1s, minimumPercent: 200 } }",
    ),
  },
  {
    name: "localities that add up to 90",
    yaml: policy(
      "loadBalancer: { localityLbSetting: { distribute: [{ from: r1, to: { r1: 50, r2: 40 } }] } }, outlierDetection: {}",
    ),
  },
  {
    name: "localities of 2^32",
    yaml: policy(
      "loadBalancer: { localityLbSetting: { distribute: [{ from: r1, to: { r1: 4294967296 } }] } }, outlierDetection: {}",
    ),
  },
  {
    name: "failover to itself",
    yaml: policy(
      "loadBalancer: { localityLbSetting: { failover: [{ from: r1, to: r1 }] } }, outlierDetection: {}",
    ),
  },
  {
    name: "an odd locality",
    yaml: policy(
      "loadBalancer: { localityLbSetting: { distribute: [{ from: '*/x', to: { '/': 100 } }] } }, outlierDetection: {}",
    ),
  },
  {
    name: "outliers at once and for 100 years",
    yaml: policy(
      "outlierDetection: { consecutive5xxErrors: 0, interval: 1ms, baseEjectionTime: 876000h, maxEjectionPercent: 100, minHealthPercent: 100 }",
    ),
  },
  {
    name: "outliers of 2^32",
    yaml: policy("outlierDetection: { consecutive5xxErrors: 4294967296 }"),
  },
  {
    name: "outliers of 4294967295",
    yaml: policy(
      "outlierDetection: { consecutive5xxErrors: 4294967295, consecutiveGatewayErrors: 4294967295 }",
    ),
  },
  {
    name: "101 percent of outliers",
    yaml: policy("outlierDetection: { maxEjectionPercent: 101 }"),
  },
  {
    name: "no connection at all",
    yaml: policy(
      "connectionPool: { tcp: { maxConnections: 0 }, http: { http1MaxPendingRequests: 0, http2MaxRequests: 0, maxRetries: 0 } }",
    ),
  },
  { name: "negative connections", yaml: policy("connectionPool: { tcp: { maxConnections: -1 } }") },
  {
    name: "2^31-1 connections",
    yaml: policy(
      "connectionPool: { tcp: { maxConnections: 2147483647 }, http: { maxRequestsPerConnection: 2147483647, maxConcurrentStreams: 2147483647 } }",
    ),
  },
  {
    name: "a connect timeout of 100 years",
    yaml: policy("connectionPool: { tcp: { connectTimeout: 876000h } }"),
  },
  {
    name: "a connect timeout of 1 ns",
    yaml: policy("connectionPool: { tcp: { connectTimeout: 1ns } }"),
  },
  {
    name: "a keep-alive of 100 years",
    yaml: policy(
      "connectionPool: { tcp: { tcpKeepalive: { probes: 4294967295, time: 876000h, interval: 876000h } } }",
    ),
  },
  {
    name: "an idle timeout of 100 years",
    yaml: policy(
      "connectionPool: { http: { idleTimeout: 876000h }, tcp: { idleTimeout: 876000h, maxConnectionDuration: 876000h } }",
    ),
  },
  {
    name: "TLS files that are not there",
    yaml: policy(
      "tls: { mode: MUTUAL, clientCertificate: /nowhere/c, privateKey: /nowhere/k, caCertificates: /nowhere/ca }",
    ),
  },
  {
    name: "a TLS name with odd characters",
    yaml: policy("tls: { mode: SIMPLE, sni: 'a b', subjectAltNames: ['', '*', 'spiffe://x y'] }"),
  },
  {
    name: "a TLS name of 300 letters",
    yaml: policy(`tls: { mode: SIMPLE, sni: ${"x".repeat(300)} }`),
  },
  {
    name: "a credential with a slash",
    yaml: policy("tls: { mode: SIMPLE, credentialName: '../x' }"),
  },
  {
    name: "a port level for a port that is not there",
    yaml: policy("portLevelSettings: [{ port: { number: 9999 }, tls: { mode: DISABLE } }]"),
  },
  {
    name: "a port level for port 0",
    yaml: policy("portLevelSettings: [{ port: { number: 0 }, tls: { mode: DISABLE } }]"),
  },
  {
    name: "a port level twice",
    yaml: policy(
      "portLevelSettings: [{ port: { number: 80 }, tls: { mode: DISABLE } }, { port: { number: 80 }, tls: { mode: ISTIO_MUTUAL } }]",
    ),
  },
  { name: "a tunnel to port 0", yaml: policy("tunnel: { targetHost: x.io, targetPort: 0 }") },
  {
    name: "a tunnel to an odd host",
    yaml: policy("tunnel: { targetHost: 'a b', targetPort: 80 }"),
  },
  {
    name: "a DestinationRule exported to nobody",
    yaml: dr("exportTo: ['~'], subsets: [{ name: v1, labels: { version: v1 } }]"),
  },
  {
    name: "a selector that nobody has",
    yaml: dr(
      "workloadSelector: { matchLabels: { app: nobody } }, trafficPolicy: { tls: { mode: DISABLE } }",
    ),
  },
  { name: "a PROXY protocol of version 3", yaml: policy("proxyProtocol: { version: V3 }") },
];

/** Sidecars. */
export const SIDECARS: readonly HostileObjects[] = [
  {
    name: "a Sidecar that selects nobody",
    yaml: sc("{ workloadSelector: { labels: { app: nobody } }, egress: [{ hosts: ['./*'] }] }"),
  },
  { name: "a Sidecar that selects everybody", yaml: sc("{ egress: [{ hosts: ['~/*'] }] }") },
  {
    name: "two Sidecars for everybody",
    yaml: all(
      sc("{ egress: [{ hosts: ['./*'] }] }"),
      sc("{ egress: [{ hosts: ['*/*'] }] }", "second"),
    ),
  },
  {
    name: "two Sidecars for one workload",
    yaml: all(
      sc("{ workloadSelector: { labels: { app: a } }, egress: [{ hosts: ['./*'] }] }"),
      sc("{ workloadSelector: { labels: { app: a } }, egress: [{ hosts: ['*/*'] }] }", "second"),
    ),
  },
  { name: "a Sidecar without anything", yaml: sc("{}") },
  { name: "egress without hosts", yaml: sc("{ egress: [{ hosts: [] }] }") },
  { name: "egress of an odd host", yaml: sc("{ egress: [{ hosts: ['a'] }] }") },
  {
    name: "egress of a namespace that is not there",
    yaml: sc("{ egress: [{ hosts: ['nowhere/*'] }] }"),
  },
  {
    name: "egress of one port twice",
    yaml: sc(
      "{ egress: [{ port: { number: 9000, name: http, protocol: HTTP }, hosts: ['./*'] }, { port: { number: 9000, name: tcp, protocol: TCP }, hosts: ['./*'] }, { hosts: ['./*'] }] }",
    ),
  },
  {
    name: "egress on 15001",
    yaml: sc(
      "{ egress: [{ port: { number: 15001, name: http, protocol: HTTP }, hosts: ['./*'] }, { hosts: ['./*'] }] }",
    ),
  },
  {
    name: "egress on port 0",
    yaml: sc(
      "{ egress: [{ port: { number: 0, name: http, protocol: HTTP }, bind: 127.0.0.1, hosts: ['./*'] }] }",
    ),
  },
  {
    name: "egress at a socket",
    yaml: sc(
      "{ egress: [{ port: { number: 0, name: http, protocol: HTTP }, bind: 'unix:///tmp/x', hosts: ['./*'] }] }",
    ),
  },
  {
    name: "egress bound to a name",
    yaml: sc(
      "{ egress: [{ port: { number: 9000, name: http, protocol: HTTP }, bind: here, hosts: ['./*'] }] }",
    ),
  },
  {
    name: "ingress on 15006",
    yaml: sc(
      "{ ingress: [{ port: { number: 15006, name: http, protocol: HTTP }, defaultEndpoint: 127.0.0.1:80 }] }",
    ),
  },
  {
    name: "ingress on 15021",
    yaml: sc(
      "{ ingress: [{ port: { number: 15021, name: http, protocol: HTTP }, defaultEndpoint: 127.0.0.1:80 }] }",
    ),
  },
  {
    name: "ingress of one port twice",
    yaml: sc(
      "{ ingress: [{ port: { number: 80, name: http, protocol: HTTP }, defaultEndpoint: 127.0.0.1:80 }, { port: { number: 80, name: tcp, protocol: TCP }, defaultEndpoint: 127.0.0.1:81 }] }",
    ),
  },
  {
    name: "ingress to port 0",
    yaml: sc(
      "{ ingress: [{ port: { number: 80, name: http, protocol: HTTP }, defaultEndpoint: 127.0.0.1:0 }] }",
    ),
  },
  {
    name: "ingress to another machine",
    yaml: sc(
      "{ ingress: [{ port: { number: 80, name: http, protocol: HTTP }, defaultEndpoint: 8.8.8.8:80 }] }",
    ),
  },
  {
    name: "ingress to a socket",
    yaml: sc(
      "{ ingress: [{ port: { number: 80, name: http, protocol: HTTP }, defaultEndpoint: 'unix:///tmp/x' }] }",
    ),
  },
  {
    name: "ingress of 65536",
    yaml: sc(
      "{ ingress: [{ port: { number: 65536, name: http, protocol: HTTP }, defaultEndpoint: 127.0.0.1:80 }] }",
    ),
  },
  {
    name: "an egress proxy that is not there",
    yaml: sc(
      "{ outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: nobody } }, egress: [{ hosts: ['./*'] }] }",
    ),
  },
  {
    name: "an egress proxy whose subset is not there",
    yaml: sc(
      "{ outboundTrafficPolicy: { mode: ALLOW_ANY, egressProxy: { host: a.default.svc.cluster.local, port: { number: 80 }, subset: v9 } }, egress: [{ hosts: ['./*'] }] }",
    ),
  },
];
