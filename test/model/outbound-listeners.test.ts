import { describe, expect, test } from "vitest";
import type { FilterChain, Listener } from "../../src/model/listener.ts";
import type { ProxyNode } from "../../src/model/proxy.ts";
import type { ViewPart } from "../../src/model/view-part.ts";
import { istio, meshOf, outboundOf, service, sidecar } from "./world.ts";

function outbound(yaml: readonly string[], proxy: ProxyNode = sidecar()): ViewPart {
  const mesh = meshOf(...yaml);
  return outboundOf(mesh, proxy);
}

function chainText({ match, filter }: FilterChain): string {
  const { serverNames = [], prefixRanges = [], applicationProtocols } = match;
  const asked = [
    ...serverNames,
    ...prefixRanges,
    ...(applicationProtocols === undefined ? [] : ["http"]),
  ];
  const end =
    filter.type === "http"
      ? `routes ${typeof filter.routes === "string" ? filter.routes : filter.routes.name}`
      : filter.clusters.map(({ name }) => name).join(",");
  return `${asked.length === 0 ? "*" : asked.join(" ")} → ${end}`.replaceAll(
    ".default.svc.cluster.local",
    "",
  );
}

/** Every listener but the capturing one: its chains, the default last. */
function shown({ listeners }: ViewPart): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    listeners
      .filter(({ isCapturing }) => !isCapturing)
      .map(({ name, chains, defaultChain }) => [
        name,
        [...chains, ...(defaultChain === undefined ? [] : [defaultChain])].map(chainText),
      ]),
  );
}

function named({ listeners }: ViewPart, name: string): Listener | undefined {
  return listeners.find((listener) => listener.name === name);
}

function entry(name: string, port: string, rest = "", resolution = "DNS"): string {
  const [portName, number, protocol] = port.split(":");
  return istio(
    "ServiceEntry",
    name,
    `{ hosts: [${name}.example], ports: [{ name: ${portName}, number: ${number}, protocol: ${protocol} }], resolution: ${resolution}${rest} }`,
  );
}

const REST = "* → PassthroughCluster";

describe("listeners of services", () => {
  test.each<[string, readonly string[], Readonly<Record<string, readonly string[]>>]>([
    [
      "HTTP services of a port share the listener of all addresses",
      [service("a", { ip: "10.1.0.1" }), service("b", { ip: "10.1.0.2" })],
      { "0.0.0.0_80": ["http → routes 80", REST] },
    ],
    [
      "a TCP service has the listener of its address",
      [service("a", { ip: "10.1.0.1", ports: ["tcp:90"] })],
      { "10.1.0.1_90": ["* → outbound|90||a"] },
    ],
    [
      "a port that does not say has both, with routes of its own",
      [service("a", { ip: "10.1.0.1", ports: ["auto:90"] })],
      { "10.1.0.1_90": ["http → routes a:90", "* → outbound|90||a"] },
    ],
    [
      "TLS to an address needs no name",
      [service("a", { ip: "10.1.0.1", ports: ["https:443"] })],
      { "10.1.0.1_443": ["* → outbound|443||a"] },
    ],
    [
      "TLS without an address is told apart by name",
      [entry("a", "tls:443:TLS"), entry("b", "tls:443:TLS")],
      {
        "0.0.0.0_443": [
          "a.example → outbound|443||a.example",
          "b.example → outbound|443||b.example",
          REST,
        ],
      },
    ],
    [
      "TCP without an address takes the whole port, and the oldest has it",
      [entry("a", "tcp:90:TCP"), entry("b", "tcp:90:TCP")],
      { "0.0.0.0_90": ["* → outbound|90||a.example"] },
    ],
    [
      "HTTP beside TCP on one port is tried first",
      [entry("a", "tcp:90:TCP"), service("b", { ip: "10.1.0.2", ports: ["http:90"] })],
      { "0.0.0.0_90": ["http → routes 90", "* → outbound|90||a.example"] },
    ],
    [
      "TCP beside HTTP on one port has what is no HTTP",
      [service("b", { ip: "10.1.0.2", ports: ["http:90"] }), entry("a", "tcp:90:TCP")],
      { "0.0.0.0_90": ["http → routes 90", "* → outbound|90||a.example"] },
    ],
    [
      "a block of addresses is a chain of the shared listener",
      [entry("a", "tcp:90:TCP", ", addresses: [10.2.0.0/16]", "NONE")],
      { "0.0.0.0_90": ["10.2.0.0/16 → outbound|90||a.example", REST] },
    ],
    [
      "each address of an entry has a listener",
      [entry("a", "tcp:90:TCP", ", addresses: [10.2.0.1, 10.2.0.2]")],
      {
        "10.2.0.1_90": ["* → outbound|90||a.example"],
        "10.2.0.2_90": ["* → outbound|90||a.example"],
      },
    ],
    [
      "a rule's address goes before the service's",
      [
        service("a", { ip: "10.1.0.1", ports: ["tcp:90"] }),
        service("b", { ip: "10.1.0.2", ports: ["tcp:91"] }),
        istio(
          "VirtualService",
          "v",
          "{ hosts: [a], tcp: [{ match: [{ destinationSubnets: [10.1.0.1] }], route: [{ destination: { host: b } }] }] }",
        ),
      ],
      {
        "10.1.0.1_90": ["10.1.0.1 → outbound|91||b", "* → outbound|90||a"],
        "10.1.0.2_91": ["* → outbound|91||b"],
      },
    ],
    [
      "a TLS rule replaces the service's own chain",
      [
        entry("a", "tls:443:TLS"),
        istio(
          "VirtualService",
          "v",
          "{ hosts: [a.example], tls: [{ match: [{ sniHosts: [a.example], port: 443 }], route: [{ destination: { host: a.example, port: { number: 443 } }, weight: 60 }, { destination: { host: b.example, port: { number: 443 } }, weight: 40 }] }] }",
        ),
      ],
      { "0.0.0.0_443": ["a.example → outbound|443||a.example,outbound|443||b.example", REST] },
    ],
    [
      "names of two rules that overlap belong to the older",
      [
        entry("a", "tls:443:TLS"),
        istio(
          "VirtualService",
          "v",
          "{ hosts: [a.example], tls: [{ match: [{ sniHosts: [a.example] }], route: [{ destination: { host: a.example } }] }] }",
        ),
        istio(
          "VirtualService",
          "w",
          "{ hosts: [a.example, x.example], tls: [{ match: [{ sniHosts: [a.example, x.example] }], route: [{ destination: { host: b.example } }] }] }",
        ),
      ],
      {
        "0.0.0.0_443": [
          "a.example → outbound|443||a.example",
          "x.example → outbound|443||b.example",
          REST,
        ],
      },
    ],
  ])("%s", (_, yaml, expected) => {
    expect(shown(outbound(yaml))).toEqual(expected);
  });

  test("looking at what comes has no limit in time unless the mesh sets one", () => {
    const view = outbound([service("a", { ip: "10.1.0.1", ports: ["auto:90", "tcp:91"] })]);
    expect(named(view, "10.1.0.1_90")).toMatchObject({
      inspection: { tls: true, http: true },
      inspectionTimeoutMs: 0,
    });
    expect(named(view, "10.1.0.1_91")).toMatchObject({ inspection: { tls: false, http: false } });
  });

  test("pods of a headless service have a listener each, but not the client's own", () => {
    const slice = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: h-1, namespace: default, labels: { kubernetes.io/service-name: h } }
addressType: IPv4
ports: [{ name: tcp, port: 9090 }]
endpoints: [{ addresses: [10.0.0.7] }, { addresses: [10.0.0.9] }]`;
    const yaml = [service("h", { ports: ["tcp:90"] }), slice];
    expect(shown(outbound(yaml))).toEqual({ "10.0.0.7_90": ["* → outbound|90||h"] });
    const other = sidecar({ ips: ["10.0.0.8"] });
    expect(Object.keys(shown(outbound(yaml, other)))).toEqual(["10.0.0.7_90", "10.0.0.9_90"]);
  });

  test("a headless service without pods has none, and takes no port from others", () => {
    expect(shown(outbound([service("h", { ports: ["tcp:90"] })]))).toEqual({});
  });

  test("who shares a port with an older one that nothing tells apart is told so", () => {
    const { issues } = outbound([entry("a", "tcp:90:TCP"), entry("b", "tcp:90:TCP")]);
    expect(issues.map(({ object, issue }) => `${object.name} ${issue.path}`)).toEqual([
      "b spec.hosts[0]",
    ]);
  });

  test("both families of a proxy reach the shared listener", () => {
    const both = sidecar({ ips: ["10.0.0.9", "fd00::9"] });
    const listener = named(outbound([service("a", { ip: "10.1.0.1" })], both), "0.0.0.0_80");
    expect(listener?.additionalAddresses).toEqual([{ address: "::", port: 80 }]);
    const v6 = outbound([service("a", { ip: "fd01::1" })], sidecar({ ips: ["fd00::9"] }));
    expect(Object.keys(shown(v6))).toEqual(["::_80"]);
  });
});

describe("listeners of Sidecars", () => {
  const A = service("a", { ip: "10.1.0.1", ports: ["http:80", "tcp:90"] });
  const egress = (list: string): string => istio("Sidecar", "s", `{ egress: [${list}] }`);

  test("a port that is named takes no services from the listener for all others", () => {
    const list =
      "{ port: { number: 80, protocol: HTTP, name: h }, hosts: ['./a.default.svc.cluster.local'] }, { hosts: ['*/*'] }";
    const others = service("b", { ip: "10.1.0.2", ports: ["http:80", "http-b:81"] });
    const view = outbound([A, others, egress(list)]);
    expect(Object.keys(shown(view))).toEqual(["0.0.0.0_80", "10.1.0.1_90", "0.0.0.0_81"]);
    const hosts = view.routes.find(({ name }) => name === "80")?.virtualHosts;
    expect(hosts?.map(({ name }) => name)).toEqual(["a.default.svc.cluster.local:80", "allow_any"]);
  });

  test("captureMode NONE opens a socket on the loopback address", () => {
    const list =
      "{ port: { number: 80, protocol: HTTP, name: h }, captureMode: NONE, hosts: ['*/*'] }";
    const view = outbound([A, egress(list)]);
    expect(named(view, "127.0.0.1_80")).toMatchObject({
      isBound: true,
      address: { address: "127.0.0.1", port: 80 },
    });
    const hosts = view.routes.find(({ name }) => name === "80")?.virtualHosts;
    expect(hosts?.at(-1)?.name).toBe("block_all");
  });

  test("a socket file serves all ports", () => {
    const list =
      "{ port: { number: 0, protocol: HTTP, name: h }, bind: 'unix:///run/a.sock', hosts: ['*/*'] }";
    const view = outbound([A, egress(list)]);
    expect(named(view, "unix:///run/a.sock")).toMatchObject({
      isBound: true,
      address: { path: "/run/a.sock" },
    });
    const routes = view.routes.find(({ name }) => name === "unix:///run/a.sock");
    expect(routes?.virtualHosts.map(({ name }) => name)).toEqual([
      "a.default.svc.cluster.local:80",
      "block_all",
    ]);
  });

  test("HTTP_PROXY serves services of all ports", () => {
    const list =
      "{ port: { number: 7000, protocol: HTTP_PROXY, name: p }, bind: 127.0.0.1, captureMode: NONE, hosts: ['*/*'] }";
    const view = outbound([A, egress(list)]);
    expect(shown(view)).toEqual({ "127.0.0.1_7000": ["* → routes 7000"] });
    expect(view.routes.find(({ name }) => name === "7000")?.ignoresPort).toBe(false);
  });

  test("a port that the sidecar has for itself is refused by name", () => {
    const list =
      "{ port: { number: 15021, protocol: HTTP, name: h }, bind: 127.0.0.1, captureMode: NONE, hosts: ['*/*'] }";
    const view = outbound([A, egress(list)]);
    expect(shown(view)).toEqual({});
    expect(view.issues.map(({ issue }) => `${issue.path}: ${issue.message}`)).toEqual([
      "spec.egress[0].port.number: there is no listener on port 15021: the sidecar has it for itself (health)",
    ]);
  });
});

describe("without capture", () => {
  test("services have listeners on the loopback address, as Istio's NONE mode has them", () => {
    const none = sidecar({ metadata: { INTERCEPTION_MODE: "NONE" } });
    const view = outbound([service("a", { ip: "10.1.0.1", ports: ["http:80", "tcp:90"] })], none);
    expect(Object.keys(shown(view))).toEqual(["127.0.0.1_80", "127.0.0.1_90", "127.0.0.1_15002"]);
  });

  test("a pod on the machine's loopback has only what a Sidecar names, on its own address", () => {
    const metadata = { INTERCEPTION_MODE: "NONE", WEFT_APP_ADDRESS: "127.65.128.9" };
    const portable = sidecar({ ips: ["127.65.0.9"], metadata });
    const a = service("a", { ip: "10.1.0.1", ports: ["http:80", "tcp:90"] });
    expect(Object.keys(shown(outbound([a], portable)))).toEqual(["127.65.0.9_15002"]);
    const named90 = istio(
      "Sidecar",
      "s",
      "{ egress: [{ port: { number: 90, protocol: TCP, name: t }, hosts: ['*/*'] }, { hosts: ['*/*'] }] }",
    );
    expect(shown(outbound([a, named90], portable))).toEqual({
      "127.65.0.9_90": ["* → outbound|90||a"],
      "127.65.0.9_15002": ["* → routes http_proxy"],
    });
  });
});

describe("the capturing listener", () => {
  const chainsOf = (yaml: readonly string[], proxy = sidecar()) => {
    const listener = outbound(yaml, proxy).listeners.find(({ isCapturing }) => isCapturing);
    return listener?.chains.map((chain) => `${chain.name}: ${chainText(chain)}`);
  };

  test("passes on what nobody knows, but not to itself", () => {
    expect(chainsOf([])).toEqual([
      "virtualOutbound-blackhole: * → BlackHoleCluster",
      "virtualOutbound-catchall-tcp: * → PassthroughCluster",
    ]);
  });

  test("closes what nobody knows with REGISTRY_ONLY, or gives it to the egress proxy", () => {
    const policy = (spec: string): string =>
      istio("Sidecar", "s", `{ outboundTrafficPolicy: { ${spec} } }`);
    expect(chainsOf([policy("mode: REGISTRY_ONLY")])?.[1]).toContain("BlackHoleCluster");
    const proxy =
      "mode: ALLOW_ANY, egressProxy: { host: out.default.svc.cluster.local, port: { number: 3128 } }";
    expect(chainsOf([policy(proxy)])?.[1]).toContain("outbound|3128||out");
  });

  test("keeps the client's address with TPROXY", () => {
    const proxy = sidecar({ metadata: { INTERCEPTION_MODE: "TPROXY" } });
    const listener = outbound([], proxy).listeners.find(({ isCapturing }) => isCapturing);
    expect(listener?.isTransparent).toBe(true);
  });
});

describe("sharing", () => {
  test("proxies that differ in nothing that is asked for have the same listeners and routes", () => {
    const mesh = meshOf(service("a", { ip: "10.1.0.1", ports: ["http:80", "tcp:90"] }));
    const [first, second] = [
      sidecar({ ips: ["10.0.0.7"], labels: { app: "x" } }),
      sidecar({ ips: ["10.0.0.8"], labels: { app: "y" } }),
    ].map((proxy) => outboundOf(mesh, proxy));
    expect(first?.listeners.map(({ name }) => name)).toContain("10.1.0.1_90");
    for (const [index, listener] of (first?.listeners ?? []).entries()) {
      expect(second?.listeners[index]).toBe(listener);
    }
    expect(second?.routes).toBe(first?.routes);
  });

  test("clients whose labels a rule asks for have their own", () => {
    const rule = istio(
      "VirtualService",
      "v",
      "{ hosts: [a], tcp: [{ match: [{ sourceLabels: { app: x } }], route: [{ destination: { host: b } }] }] }",
    );
    const yaml = [
      service("a", { ip: "10.1.0.1", ports: ["tcp:90"] }),
      service("b", { ip: "10.1.0.2", ports: ["tcp:91"] }),
      rule,
    ];
    const x = outbound(yaml, sidecar({ labels: { app: "x" } }));
    expect(shown(x)["10.1.0.1_90"]).toEqual(["* → outbound|91||b"]);
    expect(shown(outbound(yaml))["10.1.0.1_90"]).toEqual(["* → outbound|90||a"]);
  });
});
