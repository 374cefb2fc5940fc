import { describe, expect, test } from "vitest";
import { formatIssue } from "../../src/base/issue.ts";
import { decodeYaml } from "../../src/config/yaml.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import { buildMesh, endpointsOf, type Mesh, servicesByHost } from "../../src/model/mesh.ts";
import type { Service } from "../../src/model/service.ts";
import { serviceTargets } from "../../src/model/service-targets.ts";
import { ConfigStore } from "../../src/store/config-store.ts";
import { meshOf, sidecar } from "./world.ts";

/** A Service of Kubernetes. */
function kube(name: string, spec: string, metadata = ""): string {
  return `{ apiVersion: v1, kind: Service, metadata: { name: ${name}${metadata} }, spec: ${spec} }`;
}

function entry(name: string, spec: string, metadata = ""): string {
  return `{ apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: { name: ${name}${metadata} }, spec: ${spec} }`;
}

function workloadEntry(name: string, spec: string, rest = ""): string {
  return `{ apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: { name: ${name} }, spec: ${spec}${rest} }`;
}

function pod(name: string, ip: string, labels: string, spec = ""): string {
  const containers =
    "containers: [{ name: c, image: i, ports: [{ name: web, containerPort: 8080 }] }]";
  return `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, labels: ${labels} }, spec: { ${containers}${spec} }, status: { podIP: ${ip} } }`;
}

function slice(
  name: string,
  service: string,
  endpoints: string,
  ports = "[{ name: http, port: 8080 }]",
): string {
  return `{ apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: { name: ${name}, labels: { kubernetes.io/service-name: ${service} } }, addressType: IPv4, endpoints: ${endpoints}, ports: ${ports} }`;
}

function only(mesh: Mesh, hostname: string): Service {
  const found = servicesByHost(mesh).get(hostname) ?? [];
  expect(found).toHaveLength(1);
  return found[0] as Service;
}

/** `address:port` of the endpoints of a port. */
function addresses(mesh: Mesh, hostname: string, port: string): readonly string[] {
  return listed(mesh, hostname, port).map((one) => `${one.address}:${one.port}`);
}

function listed(mesh: Mesh, hostname: string, port: string): readonly Endpoint[] {
  return endpointsOf(mesh, only(mesh, hostname))?.get(port) ?? [];
}

function issues(mesh: Mesh): readonly string[] {
  return mesh.registry.issues.map(({ object, issue }) => `${object.name}: ${formatIssue(issue)}`);
}

const HTTP = "ports: [{ name: http, port: 80 }]";
const ENTRY_HTTP = "ports: [{ number: 80, name: http, protocol: HTTP }]";

describe("services of Kubernetes", () => {
  test("speak what appProtocol says, then the port's name, else what is found out", () => {
    const ports = [
      "{ name: grpc-a, port: 1, appProtocol: http }",
      "{ name: grpc-b, port: 2 }",
      "{ name: x, port: 3 }",
      "{ name: mysql, port: 4 }",
      "{ name: tls-x, port: 5 }",
      "{ name: y, port: 6, appProtocol: kubernetes.io/h2c }",
      "{ name: z, port: 3306 }",
      "{ name: dns, port: 53, protocol: UDP }",
    ];
    const mesh = meshOf(kube("a", `{ clusterIP: 10.0.0.1, ports: [${ports.join(", ")}] }`));
    const spoken = only(mesh, "a.default.svc.cluster.local").ports;
    expect(spoken.map(({ number, protocol }) => `${number} ${protocol}`)).toEqual([
      "1 http",
      "2 grpc",
      "3 auto",
      "4 tcp",
      "5 tls",
      "6 http2",
      "3306 tcp",
    ]);
  });

  test("that misspell a protocol are told, and not those with names of their own", () => {
    const ports = [
      "{ name: htp-web, port: 1 }",
      "{ name: web, port: 2 }",
      "{ name: x, port: 3, appProtocol: gprc }",
      "{ name: status-port, port: 4 }",
      "{ name: metrics, port: 5 }",
    ];
    expect(issues(meshOf(kube("a", `{ ports: [${ports.join(", ")}] }`)))).toEqual([
      'a: spec.ports[0].name: "htp" names no protocol, did you mean "http"? What the port speaks is found out from its traffic',
      'a: spec.ports[2].appProtocol: "gprc" names no protocol, did you mean "grpc"? What the port speaks is found out from its traffic',
    ]);
  });

  test("are headless when they say so, not when nobody has given them an address yet", () => {
    const mesh = meshOf(kube("a", `{ clusterIP: None, ${HTTP} }`), kube("b", `{ ${HTTP} }`));
    expect(only(mesh, "a.default.svc.cluster.local").isHeadless).toBe(true);
    expect(only(mesh, "b.default.svc.cluster.local")).toMatchObject({
      isHeadless: false,
      resolution: "eds",
    });
  });

  test("are seen where the annotation says, else where the mesh says", () => {
    const mesh = meshOf(
      kube(
        "a",
        `{ clusterIP: 10.0.0.1, ${HTTP} }`,
        ", annotations: { networking.istio.io/exportTo: '., other' }",
      ),
      kube("b", `{ clusterIP: 10.0.0.2, ${HTTP} }`),
      `{ apiVersion: v1, kind: ConfigMap, metadata: { name: istio, namespace: istio-system }, data: { mesh: "defaultServiceExportTo: ['~']" } }`,
    );
    const named = only(mesh, "a.default.svc.cluster.local").visibility;
    expect(named).toEqual(new Set(["default", "other"]));
    expect(only(mesh, "b.default.svc.cluster.local").visibility).toBe("none");
  });

  test("say which endpoints come first", () => {
    const mesh = meshOf(
      kube("a", `{ clusterIP: 10.0.0.1, trafficDistribution: PreferClose, ${HTTP} }`),
      kube(
        "b",
        `{ clusterIP: 10.0.0.1, internalTrafficPolicy: Local, ${HTTP} }`,
        ", annotations: { networking.istio.io/traffic-distribution: PreferSameNode }",
      ),
    );
    expect(only(mesh, "a.default.svc.cluster.local").trafficDistribution).toBe("prefer-same-zone");
    expect(only(mesh, "b.default.svc.cluster.local")).toMatchObject({
      trafficDistribution: "prefer-same-node",
      isNodeLocal: true,
    });
  });

  test("have other names, which may lead through each other", () => {
    const mesh = meshOf(
      kube("a", `{ clusterIP: 10.0.0.1, ${HTTP} }`),
      kube("one", "{ type: ExternalName, externalName: a.default.svc.cluster.local }"),
      kube("two", "{ type: ExternalName, externalName: ONE.default.svc.cluster.local. }"),
      kube("gone", "{ type: ExternalName, externalName: b.default.svc.cluster.local }"),
    );
    const { aliases } = only(mesh, "a.default.svc.cluster.local");
    expect(aliases.map(({ hostname }) => hostname)).toEqual([
      "one.default.svc.cluster.local",
      "two.default.svc.cluster.local",
    ]);
    expect(issues(mesh)).toEqual([
      'gone: spec.externalName: there is no service "b.default.svc.cluster.local": requests to this name are treated as to an unknown host',
    ]);
  });
});

describe("endpoints of Kubernetes' services", () => {
  const service = kube("a", `{ clusterIP: 10.0.0.1, selector: { app: a }, ${HTTP} }`);

  test("are those that are ready; one that ends keeps its sessions where the service says so", () => {
    const endpoints = `[
      { addresses: [10.1.0.1] },
      { addresses: [10.1.0.2], conditions: { ready: false } },
      { addresses: [10.1.0.3], conditions: { ready: false, serving: true, terminating: true } },
    ]`;
    const plain = meshOf(service, slice("s", "a", endpoints));
    expect(addresses(plain, "a.default.svc.cluster.local", "http")).toEqual(["10.1.0.1:8080"]);
    const sticky = meshOf(
      kube("a", `{ clusterIP: 10.0.0.1, ${HTTP} }`, ", labels: { istio.io/persistent-session: s }"),
      slice("s", "a", endpoints),
    );
    const found = listed(sticky, "a.default.svc.cluster.local", "http");
    expect(found.map(({ address, health }) => `${address} ${health}`)).toEqual([
      "10.1.0.1 healthy",
      "10.1.0.3 draining",
    ]);
    const early = meshOf(
      kube("a", `{ clusterIP: 10.0.0.1, publishNotReadyAddresses: true, ${HTTP} }`),
      slice("s", "a", endpoints),
    );
    expect(addresses(early, "a.default.svc.cluster.local", "http")).toHaveLength(3);
  });

  test("are where their pods' nodes are, unless the pod says otherwise", () => {
    const mesh = meshOf(
      service,
      `{ apiVersion: v1, kind: Node, metadata: { name: n, labels: { topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z, topology.istio.io/subzone: s } } }`,
      pod("p", "10.1.0.1", "{ app: a }", ", nodeName: n"),
      pod("q", "10.1.0.2", "{ app: a, istio-locality: x.y }", ", nodeName: n"),
      slice(
        "s",
        "a",
        "[{ addresses: [10.1.0.1] }, { addresses: [10.1.0.2] }, { addresses: [10.1.0.3], zone: z9 }]",
      ),
    );
    const found = listed(mesh, "a.default.svc.cluster.local", "http");
    expect(found.map(({ locality }) => Object.values(locality).join("/"))).toEqual([
      "r/z/s",
      "x/y/",
      "/z9/",
    ]);
    expect(found[0]).toMatchObject({ nodeName: "n", serviceAccount: "default/default" });
  });

  test("are counted once when two slices list them", () => {
    const mesh = meshOf(
      service,
      slice("s", "a", "[{ addresses: [10.1.0.1] }]"),
      slice("t", "a", "[{ addresses: [10.1.0.1] }, { addresses: [10.1.0.2] }]"),
    );
    expect(addresses(mesh, "a.default.svc.cluster.local", "http")).toEqual([
      "10.1.0.1:8080",
      "10.1.0.2:8080",
    ]);
  });

  test("are WorkloadEntries too that the selector selects", () => {
    const mesh = meshOf(
      kube(
        "a",
        "{ clusterIP: 10.0.0.1, selector: { app: a }, ports: [{ name: http, port: 80, targetPort: 8080 }, { name: more, port: 81, targetPort: web }] }",
      ),
      workloadEntry(
        "vm",
        "{ address: 10.9.0.1, labels: { app: a }, weight: 3, locality: r/z, ports: { web: 7 } }",
      ),
      workloadEntry(
        "ill",
        "{ address: 10.9.0.2, labels: { app: a } }",
        ", status: { conditions: [{ type: Healthy, status: 'False' }] }",
      ),
    );
    expect(addresses(mesh, "a.default.svc.cluster.local", "http")).toEqual(["10.9.0.1:8080"]);
    expect(addresses(mesh, "a.default.svc.cluster.local", "more")).toEqual(["10.9.0.1:7"]);
    expect(listed(mesh, "a.default.svc.cluster.local", "http")[0]).toMatchObject({
      weight: 3,
      locality: { region: "r", zone: "z" },
      isMutualTls: false,
    });
  });
});

describe("services of ServiceEntries", () => {
  test.each([
    ["", "passthrough"],
    ["resolution: STATIC, endpoints: [{ address: 10.1.0.1 }], ", "eds"],
    ["resolution: DNS, ", "dns"],
    ["resolution: DNS_ROUND_ROBIN, ", "dns-round-robin"],
  ])("are found as %j says", (fields, resolution) => {
    const mesh = meshOf(entry("e", `{ hosts: [A.example.com], ${fields}${ENTRY_HTTP} }`));
    expect(only(mesh, "a.example.com")).toMatchObject({ resolution, isExternal: true });
  });

  test("are looked up by their own names where no endpoint is named", () => {
    const ports = "ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }]";
    const mesh = meshOf(entry("e", `{ hosts: [a.example.com], resolution: DNS, ${ports} }`));
    expect(addresses(mesh, "a.example.com", "http")).toEqual(["a.example.com:8080"]);
  });

  test("have the endpoints that are written down, by the name of the port", () => {
    const ports =
      "ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }, { number: 81, name: tcp, protocol: TCP }]";
    const endpoints = `[
      { address: 10.1.0.1, ports: { http: 90 }, weight: 5, serviceAccount: who },
      { address: 10.1.0.2, labels: { security.istio.io/tlsMode: disabled }, serviceAccount: who },
    ]`;
    const mesh = meshOf(
      entry(
        "e",
        `{ hosts: [a.example.com], location: MESH_INTERNAL, resolution: STATIC, ${ports}, endpoints: ${endpoints} }`,
      ),
    );
    expect(addresses(mesh, "a.example.com", "http")).toEqual(["10.1.0.1:90", "10.1.0.2:8080"]);
    expect(addresses(mesh, "a.example.com", "tcp")).toEqual(["10.1.0.1:81", "10.1.0.2:81"]);
    expect(listed(mesh, "a.example.com", "http")).toMatchObject([
      { weight: 5, isMutualTls: true, serviceAccount: "default/who" },
      { weight: 1, isMutualTls: false },
    ]);
  });

  test("may be socket files", () => {
    const mesh = meshOf(
      entry(
        "e",
        `{ hosts: [a.example.com], resolution: STATIC, ${ENTRY_HTTP}, endpoints: [{ address: 'unix:///run/a.sock' }] }`,
      ),
    );
    expect(addresses(mesh, "a.example.com", "http")).toEqual(["/run/a.sock:0"]);
  });

  test("select pods and WorkloadEntries of their namespace", () => {
    const mesh = meshOf(
      entry(
        "e",
        `{ hosts: [a.example.com], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }], workloadSelector: { labels: { app: a } } }`,
      ),
      pod("p", "10.1.0.1", "{ app: a }"),
      pod("other", "10.1.0.2", "{ app: b }"),
      workloadEntry("vm", "{ address: 10.9.0.1, labels: { app: a }, ports: { http: 9 } }"),
    );
    expect(addresses(mesh, "a.example.com", "http")).toEqual(["10.1.0.1:8080", "10.9.0.1:9"]);
    const targets = serviceTargets(mesh, sidecar({ labels: { app: "a" }, ips: ["10.1.0.1"] }));
    expect(targets.map(({ targetPort }) => targetPort)).toEqual([8080]);
  });

  test("get addresses that depend on nothing but their names", () => {
    const first = entry(
      "one",
      `{ hosts: [a.example.com, '*.example.com'], resolution: DNS, ${ENTRY_HTTP} }`.replace(
        ", '*.example.com'",
        "",
      ),
    );
    const second = entry("two", `{ hosts: [b.example.com], resolution: DNS, ${ENTRY_HTTP} }`);
    const forth = meshOf(first, second);
    const back = meshOf(second, first);
    const given = only(forth, "a.example.com").autoAddresses;
    expect(given).toEqual([
      expect.stringMatching(/^240\.240\.\d+\.\d+$/),
      expect.stringMatching(/^2001:2::[0-9a-f]+$/),
    ]);
    expect(only(back, "a.example.com").autoAddresses).toEqual(given);
    expect(only(forth, "b.example.com").autoAddresses).not.toEqual(given);
    const own = meshOf(
      entry(
        "e",
        `{ hosts: [a.example.com], addresses: [10.2.0.1], resolution: DNS, ${ENTRY_HTTP} }`,
      ),
    );
    expect(only(own, "a.example.com").autoAddresses).toEqual([]);
    const off = meshOf(
      entry(
        "e",
        `{ hosts: [a.example.com], resolution: DNS, ${ENTRY_HTTP} }`,
        ", labels: { networking.istio.io/enable-autoallocate-ip: 'false' }",
      ),
    );
    expect(only(off, "a.example.com").autoAddresses).toEqual([]);
  });

  test("of one name in one namespace are one: the oldest decides, the others add", () => {
    const mesh = meshOf(
      entry(
        "old",
        `{ hosts: [a.example.com], resolution: STATIC, ${ENTRY_HTTP}, endpoints: [{ address: 10.1.0.1 }] }`,
      ),
      entry(
        "new",
        "{ hosts: [a.example.com], resolution: STATIC, ports: [{ number: 80, name: http, protocol: TCP }, { number: 81, name: tcp, protocol: TCP }], endpoints: [{ address: 10.1.0.2 }] }",
      ),
    );
    const { ports } = only(mesh, "a.example.com");
    expect(ports.map(({ number, protocol }) => `${number} ${protocol}`)).toEqual([
      "80 http",
      "81 tcp",
    ]);
    expect(addresses(mesh, "a.example.com", "http")).toEqual(["10.1.0.1:80", "10.1.0.2:80"]);
    expect(issues(mesh)).toEqual([
      'new: spec.hosts[0]: "a.example.com" is also a service of ServiceEntry/default/old, which comes first: only ports that it lacks, and endpoints, are taken from here',
    ]);
  });

  test("of one name in two namespaces are two", () => {
    const one = `{ hosts: [a.example.com], resolution: DNS, ${ENTRY_HTTP} }`;
    const mesh = meshOf(entry("e", one), entry("e", one, ", namespace: other"));
    expect(servicesByHost(mesh).get("a.example.com")).toHaveLength(2);
  });
});

test("what did not change is the same value in the next mesh", () => {
  const store = new ConfigStore();
  const put = (...yaml: readonly string[]): void => {
    const { objects } = decodeYaml(yaml.join("\n---\n"), "w");
    store.apply({
      events: objects.map(({ object }) => ({
        type: "set",
        object: { ...object, metadata: { ...object.metadata, namespace: "default" } },
      })),
    });
  };
  put(
    kube("a", `{ clusterIP: 10.0.0.1, selector: { app: a }, ${HTTP} }`),
    kube("b", `{ clusterIP: 10.0.0.2, selector: { app: b }, ${HTTP} }`),
    kube("alias", "{ type: ExternalName, externalName: a.default.svc.cluster.local }"),
    slice("a", "a", "[{ addresses: [10.1.0.1] }]"),
    slice("b", "b", "[{ addresses: [10.1.0.2] }]"),
    entry("e", `{ hosts: [e.example.com], resolution: DNS, ${ENTRY_HTTP} }`),
    pod("p", "10.1.0.1", "{ app: a }"),
  );
  const before = buildMesh(store.view);
  put(slice("b", "b", "[{ addresses: [10.1.0.3] }]"));
  const after = buildMesh(store.view, before);
  const id = (name: string): string => `default/${name}`;
  expect(after.registry.services).toBe(before.registry.services);
  const a = id("a.default.svc.cluster.local");
  const b = id("b.default.svc.cluster.local");
  expect(after.registry.endpoints.get(a)).toBe(before.registry.endpoints.get(a));
  expect(after.registry.endpoints.get(b)).not.toBe(before.registry.endpoints.get(b));
  const e = id("e.example.com");
  expect(after.registry.endpoints.get(e)).toBe(before.registry.endpoints.get(e));
});
