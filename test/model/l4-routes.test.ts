import { describe, expect, test } from "vitest";
import type { ProxyNode } from "../../src/model/proxy.ts";
import { buildTcpRoutes, buildTlsRoutes, type L4Route } from "../../src/model/routing/l4-routes.ts";
import { scopeOf } from "../../src/model/scope/build-scope.ts";
import { istio, meshOf, service, sidecar } from "./world.ts";

const SERVICES = [
  service("a", { ip: "10.1.0.1", ports: ["tcp:80", "tls:443"] }),
  service("b", { ip: "10.1.0.2", ports: ["tcp:81"] }),
];

interface Case {
  /** YAML of the VirtualService `v`, and of others. */
  readonly spec: string;
  readonly others?: readonly string[];
  readonly proxy?: ProxyNode;
  readonly gateway?: string;
  readonly port?: number;
}

function routesOf(
  build: typeof buildTcpRoutes,
  { spec, others = [], proxy = sidecar(), gateway = "mesh", port = 80 }: Case,
): readonly L4Route[] {
  const mesh = meshOf(...SERVICES, ...others, istio("VirtualService", "v", spec));
  const [virtualService] = mesh.virtualServices;
  if (virtualService === undefined) throw new Error("there is none");
  const { services } = scopeOf(mesh, proxy);
  return build(virtualService, { mesh, proxy, gateway, listenPort: port, services });
}

function shown(routes: readonly L4Route[]): readonly string[] {
  return routes.map(({ sniHosts, destinationSubnets, chain }) => {
    const clusters = chain.clusters.map(
      ({ name, weight }) => `${name.replace(".default.svc.cluster.local", "")}=${weight}`,
    );
    return `${[...sniHosts, ...destinationSubnets].join(",")} → ${clusters.join(",")}`;
  });
}

const to = (host: string, rest = ""): string => `[{ destination: { host: ${host}${rest} } }]`;

describe("buildTcpRoutes()", () => {
  test.each<[string, Case, readonly string[]]>([
    [
      "a rule without matches takes all, and those after it are never reached",
      { spec: `{ hosts: [a], tcp: [{ route: ${to("b")} }, { route: ${to("a")} }] }` },
      [" → outbound|81||b=1"],
    ],
    [
      "addresses of several matches of a rule are one chain's",
      {
        spec: `{ hosts: [a], tcp: [{ match: [{ destinationSubnets: [10.2.0.0/16] }, { destinationSubnets: [10.3.0.1] }], route: ${to("b")} }] }`,
      },
      ["10.2.0.0/16,10.3.0.1 → outbound|81||b=1"],
    ],
    [
      "a match for another port does not apply",
      {
        spec: `{ hosts: [a], tcp: [{ match: [{ port: 81 }], route: ${to("b")} }, { match: [{ port: 80 }], route: ${to("a")} }] }`,
      },
      [" → outbound|80||a=1"],
    ],
    [
      "a match for other clients does not apply",
      {
        spec: `{ hosts: [a], tcp: [{ match: [{ sourceLabels: { app: x } }], route: ${to("b")} }, { match: [{ sourceNamespace: other }], route: ${to("b")} }] }`,
      },
      [],
    ],
    [
      "a match for the client's labels applies",
      {
        spec: `{ hosts: [a], tcp: [{ match: [{ sourceLabels: { app: x } }], route: ${to("b")} }] }`,
        proxy: sidecar({ labels: { app: "x" } }),
      },
      [" → outbound|81||b=1"],
    ],
    [
      "several destinations share by weight, and one without any gets nothing",
      {
        spec: "{ hosts: [a], tcp: [{ route: [{ destination: { host: a, port: { number: 80 } }, weight: 30 }, { destination: { host: b }, weight: 70 }, { destination: { host: b, subset: v1 }, weight: 0 }] }] }",
      },
      [" → outbound|80||a=30,outbound|81||b=70"],
    ],
    [
      "a gateway looks at the port and its own name alone",
      {
        spec: `{ hosts: ['*'], gateways: [gw], tcp: [{ match: [{ port: 80, sourceLabels: { app: x }, destinationSubnets: [10.2.0.0/16] }], route: ${to("b")} }] }`,
        gateway: "default/gw",
      },
      [" → outbound|81||b=1"],
    ],
    [
      "a match for another gateway does not apply",
      {
        spec: `{ hosts: [a], gateways: [gw, mesh], tcp: [{ match: [{ gateways: [gw] }], route: ${to("b")} }] }`,
      },
      [],
    ],
  ])("%s", (_, given, expected) => {
    expect(shown(routesOf(buildTcpRoutes, given))).toEqual(expected);
  });

  test("has the times, the hash and the tunnel of the destination's rule", () => {
    const rule = istio(
      "DestinationRule",
      "b",
      "{ host: b, trafficPolicy: { connectionPool: { tcp: { idleTimeout: 5s, maxConnectionDuration: 60s } }, loadBalancer: { consistentHash: { useSourceIp: true } }, tunnel: { protocol: CONNECT, targetHost: db.example, targetPort: 5432 } } }",
    );
    const [route] = routesOf(buildTcpRoutes, {
      spec: `{ hosts: [a], tcp: [{ route: ${to("b")} }] }`,
      others: [rule],
    });
    expect(route?.chain).toMatchObject({
      idleTimeoutMs: 5000,
      maxConnectionDurationMs: 60_000,
      isHashedBySource: true,
      tunnel: { targetHost: "db.example", targetPort: 5432, method: "CONNECT" },
    });
  });
});

describe("buildTlsRoutes()", () => {
  test("of entries that ask for the same names only the first counts", () => {
    const match = "match: [{ sniHosts: [a.example], port: 443 }]";
    const spec = `{ hosts: [a.example], tls: [{ ${match}, route: ${to("a", ", port: { number: 443 }")} }, { ${match}, route: ${to("b")} }] }`;
    expect(shown(routesOf(buildTlsRoutes, { spec, port: 443 }))).toEqual([
      "a.example → outbound|443||a=1",
    ]);
  });

  test("names and addresses are asked for together", () => {
    const spec = `{ hosts: [a.example], tls: [{ match: [{ sniHosts: [a.example], destinationSubnets: [10.2.0.0/16] }], route: ${to("b")} }] }`;
    expect(shown(routesOf(buildTlsRoutes, { spec, port: 443 }))).toEqual([
      "a.example,10.2.0.0/16 → outbound|81||b=1",
    ]);
  });
});
