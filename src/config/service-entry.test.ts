import { describe, expect, it } from "vitest";
import { decodeObject } from "./decode.ts";

/** Without what the schema says of fields that nothing is made of. */
function issuesOf(spec: object, labels: object = {}, kind = "ServiceEntry"): readonly string[] {
  const result = decodeObject({
    apiVersion: "networking.istio.io/v1",
    kind,
    metadata: { name: "a", namespace: "own", labels },
    spec,
  });
  const issues = result.ok ? (result.warnings ?? []) : result.issues;
  return issues
    .filter(({ message }) => !message.startsWith("has no effect: "))
    .map(({ path, message, severity }) => `${severity ?? "error"} ${path}: ${message}`);
}

function starting(starts: readonly string[]): readonly unknown[] {
  return starts.map((start) => expect.stringContaining(start));
}

const HTTP = { number: 80, name: "http", protocol: "HTTP" };
const TCP = { number: 81, name: "tcp", protocol: "TCP" };
const ONE = { hosts: ["a.b"], ports: [HTTP] };

describe("hosts, addresses, ports and exportTo", () => {
  it.each<[object, readonly string[]]>([
    [ONE, []],
    [{ ports: [HTTP] }, ["error spec.hosts: is required"]],
    [{ hosts: [] }, ["error spec.hosts: must not be empty"]],
    [{ hosts: ["*"] }, ['error spec.hosts[0]: "*" is no service']],
    [{ hosts: ["a_b"] }, ["error spec.hosts[0]: must be a host name"]],
    [{ hosts: ["*x"] }, ['warning spec.hosts[0]: should have "*" only']],
    [{ ...ONE, addresses: ["10.0.0.0/8", "fd00::/8", "1.2.3.4", "001:db8::"] }, []],
    [
      { ...ONE, addresses: ["a", "1.2.3.4/33", "1.2.3.4/08", "1.2.3/8"] },
      [0, 1, 2, 3].map((at) => `error spec.addresses[${at}]: must be an IP address`),
    ],
    [
      { ...ONE, resolution: "DNS", addresses: ["10.0.0.0/8"] },
      ["error spec.addresses[0]: a block of addresses is only for resolution NONE and STATIC"],
    ],
    [{ ...ONE, ports: [HTTP, { ...HTTP, name: "b" }] }, ["error spec.ports[1].number: duplicate"]],
    [{ ...ONE, ports: [HTTP, { ...HTTP, number: 1 }] }, ["error spec.ports[1]: duplicate of"]],
    [
      { ...ONE, ports: [{ ...HTTP, name: "a.b" }] },
      ["error spec.ports[0].name: must be a DNS label"],
    ],
    [{ ...ONE, ports: [{ ...HTTP, targetPort: 0 }] }, ["error spec.ports[0].targetPort: must be"]],
    [
      { ...ONE, ports: [{ ...HTTP, protocol: "x" }] },
      ["error spec.ports[0].protocol: must be one"],
    ],
    [{ ...ONE, ports: [TCP] }, ["warning spec.ports[0]: takes every connection to port 81"]],
    [{ ...ONE, ports: [TCP], addresses: ["1.2.3.4"] }, []],
    [{ ...ONE, ports: [TCP], resolution: "DNS" }, []],
    [{ ...ONE, exportTo: [".", "ns"] }, []],
    [{ ...ONE, exportTo: ["~"] }, []],
    [{ ...ONE, exportTo: [".", "own"] }, ['error spec.exportTo[1]: duplicate of "own"']],
    [{ ...ONE, exportTo: ["*", "ns"] }, ['error spec.exportTo: "*" must stand alone']],
    [{ ...ONE, exportTo: ["a b"] }, ["error spec.exportTo[0]: must be a namespace"]],
  ])("%j gives %j", (spec, expected) => {
    expect(issuesOf(spec)).toEqual(starting(expected));
  });

  it("warns of TCP without an address where none is given out", () => {
    const spec = { hosts: ["a.b"], ports: [TCP], resolution: "DNS" };
    const off = { "networking.istio.io/enable-autoallocate-ip": "false" };
    expect(issuesOf(spec, off)).toEqual(
      starting(["warning spec.ports[0]: takes every connection"]),
    );
  });
});

describe("resolution, endpoints and selector", () => {
  const endpoint = (address: string, more: object = {}): object => ({ address, ...more });

  it.each<[object, readonly string[]]>([
    [{ ...ONE, endpoints: [] }, ["error spec.endpoints: may not be set with resolution NONE"]],
    [
      { ...ONE, workloadSelector: { labels: { a: "b" } } },
      ["warning spec.workloadSelector: has no"],
    ],
    [
      { ...ONE, resolution: "STATIC" },
      ["warning spec.resolution: STATIC is for addresses in spec.endpoints"],
    ],
    [
      { ...ONE, resolution: "STATIC", workloadSelector: {}, endpoints: [] },
      [
        "warning spec.workloadSelector.labels: selects every workload",
        "error spec.endpoints: may not be set beside spec.workloadSelector",
      ],
    ],
    [
      { ...ONE, resolution: "STATIC", endpoints: [endpoint("1.2.3.4", { ports: { http: 8080 } })] },
      [],
    ],
    [
      { ...ONE, resolution: "STATIC", endpoints: [endpoint("a.b")] },
      ["error spec.endpoints[0].address: must be an IP address with resolution STATIC"],
    ],
    [
      {
        ...ONE,
        resolution: "STATIC",
        endpoints: [endpoint("1.2.3.4", { ports: { x: 1, http: 0 } })],
      },
      [
        'error spec.endpoints[0].ports[x]: "x" is not the name of a port',
        "error spec.endpoints[0].ports[http]: must be between 1 and 65535",
      ],
    ],
    [
      { ...ONE, resolution: "STATIC", endpoints: [{}] },
      ["error spec.endpoints[0].address: is requ"],
    ],
    [
      { ...ONE, resolution: "STATIC", endpoints: [{ network: "n" }] },
      ["warning spec.endpoints[0].address: is not set"],
    ],
    [
      { ...ONE, resolution: "DNS", endpoints: [{ network: "n" }] },
      ["error spec.endpoints[0].addre"],
    ],
    [{ ...ONE, resolution: "STATIC", endpoints: [endpoint("unix:///a")] }, []],
    [
      { ...ONE, resolution: "STATIC", endpoints: [endpoint("unix://@a")] },
      ["warning spec.endpoints[0].address: is an abstract socket"],
    ],
    [
      { ...ONE, resolution: "STATIC", endpoints: [endpoint(`unix:///${"a".repeat(107)}`)] },
      ["error spec.endpoints[0].address: must have a path of at most 107 bytes: got 108"],
    ],
    [
      {
        ...ONE,
        ports: [HTTP, { ...TCP, protocol: "TLS" }],
        resolution: "STATIC",
        endpoints: [endpoint("unix:///a")],
      },
      ["error spec.ports: must have exactly one port"],
    ],
    [
      { ...ONE, resolution: "STATIC", endpoints: [endpoint("unix:///a", { ports: { http: 1 } })] },
      ["error spec.endpoints[0].ports: may not be set for a unix domain socket"],
    ],
    [
      { ...ONE, resolution: "DNS", endpoints: [endpoint("unix:///a")] },
      ["error spec.endpoints[0]"],
    ],
    [
      { ...ONE, resolution: "DNS", endpoints: [endpoint("*.b")] },
      ["error spec.endpoints[0].addres"],
    ],
    [{ ...ONE, hosts: ["*.b"], resolution: "DNS" }, ["error spec.hosts[0]: must be a whole name"]],
    [{ ...ONE, hosts: ["*.b"], resolution: "DNS", endpoints: [endpoint("a.b")] }, []],
    [
      { ...ONE, resolution: "DNS_ROUND_ROBIN", endpoints: [endpoint("a.b"), endpoint("c.d")] },
      ["error spec.endpoints: must have at most one entry"],
    ],
    [{ ...ONE, hosts: ["*.b"], resolution: "DYNAMIC_DNS" }, []],
    [
      {
        hosts: ["a.b"],
        ports: [TCP],
        resolution: "DYNAMIC_DNS",
        addresses: ["1.2.3.4"],
        endpoints: [endpoint("a.b")],
      },
      [
        'error spec.hosts[0]: must begin with "*"',
        "error spec.ports[0].protocol: must be HTTP",
        "error spec.endpoints: may not be set with resolution DYNAMIC_DNS",
        "error spec.addresses: may not be set with resolution DYNAMIC_DNS",
      ],
    ],
    [
      { hosts: ["a.b", "c.d"], ports: [HTTP, TCP], resolution: "DNS" },
      ["error spec.ports[1].protocol: several hosts cannot be told apart"],
    ],
    [{ hosts: ["a.b", "c.d"], ports: [TCP], addresses: ["1.2.3.4"] }, []],
  ])("%j gives %j", (spec, expected) => {
    expect(issuesOf(spec)).toEqual(starting(expected));
  });

  it("cannot be DYNAMIC_DNS for the mesh's own behind a waypoint", () => {
    const spec = { ...ONE, hosts: ["*.b"], resolution: "DYNAMIC_DNS", location: "MESH_INTERNAL" };
    expect(issuesOf(spec)).toEqual([]);
    expect(issuesOf(spec, { "istio.io/use-waypoint": "w" })).toEqual(
      starting(["error spec.location: may not be MESH_INTERNAL"]),
    );
  });
});

describe("WorkloadEntry and WorkloadGroup", () => {
  it.each<[string, object, readonly string[]]>([
    ["WorkloadEntry", { address: "1.2.3.4", ports: { a: 1 }, weight: 2, locality: "r/z/s" }, []],
    ["WorkloadEntry", { address: "a.b" }, []],
    ["WorkloadEntry", { address: "a.b:1" }, ["error spec.address: must be an IP address or a DNS"]],
    ["WorkloadEntry", {}, ["error spec.address: is required, where there is no network"]],
    ["WorkloadEntry", { network: "n" }, ["warning spec.address: is not set"]],
    ["WorkloadEntry", { address: "unix://a" }, ["error spec.address: must be unix://"]],
    ["WorkloadEntry", { address: "unix:///a/" }, ["error spec.address: must be unix://"]],
    [
      "WorkloadEntry",
      { address: "1.2.3.4", ports: { "@": 1 } },
      ["error spec.ports[@]: must be a"],
    ],
    [
      "WorkloadEntry",
      { address: "1.2.3.4", labels: { a: "*" } },
      ["error spec.labels[a]: must be"],
    ],
    ["WorkloadGroup", {}, ["error spec.template: is required"]],
    ["WorkloadGroup", { template: {} }, []],
    [
      "WorkloadGroup",
      { template: {}, metadata: { labels: { a: "*" } } },
      ["error spec.metadata.l"],
    ],
    [
      "WorkloadGroup",
      { template: { address: "unix:///a", ports: { a: 1 } } },
      ["error spec.templa"],
    ],
    [
      "WorkloadGroup",
      { template: {}, probe: {} },
      ['error spec.probe: must have one of "httpGet"'],
    ],
    ["WorkloadGroup", { template: {}, probe: { grpc: { port: 1 } } }, []],
    [
      "WorkloadGroup",
      { template: {}, probe: { httpGet: { port: 1, scheme: "FTP" } } },
      ["error spec.probe.httpGet.scheme: must be one of"],
    ],
    [
      "WorkloadGroup",
      { template: {}, probe: { httpGet: { port: 1, httpHeaders: [{ value: "a" }] } } },
      ["error spec.probe.httpGet.httpHeaders[0].name: is required"],
    ],
    [
      "WorkloadGroup",
      { template: {}, probe: { exec: { command: [] } } },
      ["error spec.probe.exec.command: must not be empty"],
    ],
    [
      "WorkloadGroup",
      { template: {}, probe: { tcpSocket: { port: 1 }, grpc: {} } },
      ["error spec.probe: may have only one of"],
    ],
    [
      "WorkloadGroup",
      { template: {}, probe: { tcpSocket: { port: 1 }, periodSeconds: -1 } },
      ["error spec.probe.periodSeconds: must be between 0"],
    ],
  ])("%s %j gives %j", (kind, spec, expected) => {
    // Of a group, besides what is said of all groups.
    const found = issuesOf(spec, {}, kind).filter(
      (text) => !text.startsWith("warning spec: has no"),
    );
    expect(found).toEqual(starting(expected));
  });
});
