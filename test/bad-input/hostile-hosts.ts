import {
  all,
  gw,
  type HostileObjects,
  http,
  many,
  match,
  rule,
  server,
  vs,
} from "./hostile-yaml.ts";

/** What VirtualServices name. */
export const HOSTS: readonly HostileObjects[] = [
  { name: "an unknown host", yaml: http("{ route: [{ destination: { host: nobody } }] }") },
  {
    name: "an unknown port",
    yaml: http("{ route: [{ destination: { host: a, port: { number: 81 } } }] }"),
  },
  {
    name: "an unknown subset",
    yaml: http("{ route: [{ destination: { host: a, subset: v9 } }] }"),
  },
  {
    name: "an unknown host among weights",
    yaml: http(
      "{ route: [{ destination: { host: a }, weight: 50 }, { destination: { host: nobody }, weight: 50 }] }",
    ),
  },
  { name: "an unknown mirror", yaml: rule("mirrors: [{ destination: { host: nobody } }]") },
  {
    name: "an unknown gateway",
    yaml: vs(
      "{ hosts: [x.io], gateways: [nowhere], http: [{ route: [{ destination: { host: a } }] }] }",
    ),
  },
  {
    name: "a gateway's hosts that it has not",
    yaml: all(
      gw(server("x.io")),
      vs(
        "{ hosts: [y.io], gateways: [istio-system/hostile], http: [{ route: [{ destination: { host: a } }] }] }",
      ),
    ),
  },
  {
    name: "an unknown host of a tcp rule",
    yaml: vs("{ hosts: [a], tcp: [{ route: [{ destination: { host: nobody } }] }] }"),
  },
  {
    name: "an unknown host of a tls rule",
    yaml: vs(
      "{ hosts: [x.io], tls: [{ match: [{ sniHosts: [x.io] }], route: [{ destination: { host: nobody } }] }] }",
    ),
  },
  {
    name: "one host in upper and lower case",
    yaml: http("{ route: [{ destination: { host: a } }] }", "X.io, x.io"),
  },
  { name: "a host in upper case", yaml: http("{ route: [{ destination: { host: a } }] }", "X.IO") },
  { name: "a service in upper case", yaml: http("{ route: [{ destination: { host: A } }] }", "A") },
  { name: "a trailing dot", yaml: http("{ route: [{ destination: { host: a } }] }", "x.io.") },
  {
    name: "a destination with a trailing dot",
    yaml: http("{ route: [{ destination: { host: a.default.svc.cluster.local. } }] }"),
  },
  {
    name: "a host in unicode",
    yaml: http("{ route: [{ destination: { host: a } }] }", "bücher.example"),
  },
  {
    name: "a host in punycode",
    yaml: http("{ route: [{ destination: { host: a } }] }", "xn--bcher-kva.example"),
  },
  { name: "a host with a port", yaml: http("{ route: [{ destination: { host: a } }] }", "'a:80'") },
  {
    name: "a host that is an address",
    yaml: http("{ route: [{ destination: { host: a } }] }", "10.1.2.3"),
  },
  {
    name: "a host that is an IPv6 address",
    yaml: http("{ route: [{ destination: { host: a } }] }", "'fd00::1'"),
  },
  {
    name: "a host in brackets",
    yaml: http("{ route: [{ destination: { host: a } }] }", "'[fd00::1]'"),
  },
  { name: "the host *", yaml: http("{ route: [{ destination: { host: a } }] }", "'*'") },
  {
    name: "the host * beside others",
    yaml: http("{ route: [{ destination: { host: a } }] }", "'*', a, '*.io', x.io"),
  },
  {
    name: "wildcards that overlap",
    yaml: http("{ route: [{ destination: { host: a } }] }", "'*.io', '*.x.io', www.x.io"),
  },
  {
    name: "wildcards of two objects that overlap",
    yaml: all(
      http("{ route: [{ destination: { host: a } }] }", "'*.io'"),
      vs("{ hosts: ['*.x.io'], http: [{ route: [{ destination: { host: b } }] }] }", "second"),
    ),
  },
  { name: "a wildcard inside", yaml: http("{ route: [{ destination: { host: a } }] }", "a.*.io") },
  {
    name: "a wildcard without a dot",
    yaml: http("{ route: [{ destination: { host: a } }] }", "'*io'"),
  },
  {
    name: "a label of 63 letters",
    yaml: http("{ route: [{ destination: { host: a } }] }", `${"x".repeat(63)}.io`),
  },
  {
    name: "a label of 64 letters",
    yaml: http("{ route: [{ destination: { host: a } }] }", `${"x".repeat(64)}.io`),
  },
  {
    name: "a host of 254 letters",
    yaml: http("{ route: [{ destination: { host: a } }] }", `${"x.".repeat(126)}io`),
  },
  {
    name: "a host with an underscore",
    yaml: http("{ route: [{ destination: { host: a } }] }", "a_b.io"),
  },
  { name: "an empty host", yaml: http("{ route: [{ destination: { host: a } }] }", "''") },
  {
    name: "one host twice in one object",
    yaml: http("{ route: [{ destination: { host: a } }] }", "a, a"),
  },
  {
    name: "one host, short and whole",
    yaml: http("{ route: [{ destination: { host: a } }] }", "a, a.default.svc.cluster.local"),
  },
  {
    name: "one host in two objects",
    yaml: all(
      http("{ route: [{ destination: { host: a } }] }"),
      vs("{ hosts: [a], http: [{ route: [{ destination: { host: b } }] }] }", "second"),
    ),
  },
  {
    name: "200 hosts",
    yaml: http(
      "{ route: [{ destination: { host: a } }] }",
      many(200, (at) => `h${at}.io`),
    ),
  },
  {
    name: "a host of another namespace's service",
    yaml: http("{ route: [{ destination: { host: a } }] }", "a.elsewhere.svc.cluster.local"),
  },
  {
    name: "exported to nobody",
    yaml: vs("{ hosts: [a], exportTo: ['~'], http: [{ route: [{ destination: { host: a } }] }] }"),
  },
  {
    name: "exported to a namespace that is not there",
    yaml: vs(
      "{ hosts: [a], exportTo: [nowhere], http: [{ route: [{ destination: { host: a } }] }] }",
    ),
  },
  {
    name: "exported to . and *",
    yaml: vs(
      "{ hosts: [a], exportTo: ['.', '*'], http: [{ route: [{ destination: { host: a } }] }] }",
    ),
  },
  {
    name: "a destination that is a wildcard",
    yaml: http("{ route: [{ destination: { host: '*.io' } }] }"),
  },
  { name: "a destination that is *", yaml: http("{ route: [{ destination: { host: '*' } }] }") },
];

/** What rules match on. */
export const MATCHES: readonly HostileObjects[] = [
  { name: "a regex of 64 KB", yaml: match(`uri: { regex: '/${"x".repeat(65536)}' }`) },
  { name: "a regex of 1024 characters", yaml: match(`uri: { regex: '/${"x".repeat(1023)}' }`) },
  { name: "a regex that backtracks", yaml: match("uri: { regex: '/(a+)+$' }") },
  { name: "a regex that backtracks much", yaml: match("uri: { regex: '(.*a){25}' }") },
  { name: "a regex of a thousand thousand", yaml: match("uri: { regex: '(x{1000}){1000}' }") },
  { name: "a regex that looks ahead", yaml: match("uri: { regex: '/(?=x)' }") },
  { name: "a regex that refers back", yaml: match("uri: { regex: '/(x)\\1' }") },
  { name: "a regex with an open group", yaml: match("uri: { regex: '((((' }") },
  { name: "a regex in unicode", yaml: match("uri: { regex: '/bücher.*' }") },
  { name: "an empty regex", yaml: match("uri: { regex: '' }") },
  {
    name: "a regex of nested groups",
    yaml: match(`uri: { regex: '${"(".repeat(400)}x${")".repeat(400)}' }`),
  },
  { name: "an empty prefix", yaml: match("uri: { prefix: '' }") },
  { name: "an empty exact path", yaml: match("uri: { exact: '' }") },
  { name: "a prefix without a slash", yaml: match("uri: { prefix: x }") },
  { name: "a prefix with a question mark", yaml: match("uri: { prefix: '/x?y' }") },
  { name: "a path with a fragment", yaml: match("uri: { exact: '/x#y' }") },
  { name: "a path in unicode", yaml: match("uri: { exact: '/bücher' }") },
  { name: "a path with a zero byte", yaml: match('uri: { exact: "/\\0" }') },
  { name: "a path of 64 KB", yaml: match(`uri: { exact: '/${"x".repeat(65536)}' }`) },
  {
    name: "a path that ignores case with a regex",
    yaml: rule("match: [{ uri: { regex: '/x' }, ignoreUriCase: true }]"),
  },
  { name: "a header name with spaces", yaml: match("headers: { 'a b': { exact: c } }") },
  { name: "an empty header name in a match", yaml: match("headers: { '': { exact: c } }") },
  { name: "a header name in upper case", yaml: match("headers: { 'X-UPPER': { exact: c } }") },
  {
    name: "a header name in two cases",
    yaml: match("headers: { 'X-A': { exact: c }, 'x-a': { exact: d } }"),
  },
  {
    name: "a header name of odd characters",
    yaml: match('headers: { "x\\n()<>@,;": { exact: c } }'),
  },
  {
    name: "a match of a header of 64 KB",
    yaml: match(`headers: { x: { exact: ${"y".repeat(65536)} } }`),
  },
  {
    name: "a header that must be there and not be there",
    yaml: match("headers: { x: {} }, withoutHeaders: { x: {} }"),
  },
  {
    name: "a pseudo header",
    yaml: match("headers: { ':path': { exact: /x }, ':method': { exact: GET } }"),
  },
  {
    name: "a query parameter with odd characters",
    yaml: match("queryParams: { 'a b&=': { exact: 'c d' } }"),
  },
  {
    name: "a query parameter without a name",
    yaml: match("queryParams: { '': { exact: 'c d' } }"),
  },
  { name: "a method that is none", yaml: match("method: { exact: 'GET ME' }") },
  { name: "a match of port 0", yaml: match("port: 0") },
  { name: "a match of port 65535", yaml: match("port: 65535") },
  { name: "a match of port 65536", yaml: match("port: 65536") },
  { name: "a match of nothing", yaml: match("") },
  { name: "an empty authority", yaml: match("authority: { exact: '' }") },
  { name: "labels that nobody has", yaml: match("sourceLabels: { app: nobody }") },
  { name: "a source namespace that is not there", yaml: match("sourceNamespace: nowhere") },
  { name: "a gateway in a match that is not in the object", yaml: match("gateways: [nowhere]") },
  {
    name: "1000 matches",
    yaml: rule(`match: [${many(1000, (at) => `{ uri: { prefix: /${at}x } }`)}]`),
  },
];
