import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BehaviourMesh } from "../behaviour/behaviour-mesh.ts";
import { tryExchange } from "../behaviour/try-exchange.ts";
import { istio } from "../model/world.ts";
import { findProgram } from "../programs.ts";

const envoy = findProgram("envoy");

const PLANES = [
  { plane: "weft", isThere: true, program: undefined },
  { plane: "envoy", isThere: envoy !== undefined, program: envoy },
];

const vs = (name: string, spec: string): string => istio("VirtualService", name, spec);

/** All at once: what is wrong with one is not to be felt by another. */
const BAD = [
  vs(
    "ratings",
    `
  hosts: [ratings]
  http:
    - { match: [{ uri: { prefix: /host } }], route: [{ destination: { host: nobody } }] }
    - { match: [{ uri: { prefix: /subset } }], route: [{ destination: { host: ratings, subset: v9 } }] }
    - { match: [{ uri: { prefix: /port } }], route: [{ destination: { host: ratings, port: { number: 1 } } }] }
    - match: [{ uri: { prefix: /half } }]
      route:
        - { destination: { host: nobody }, weight: 50 }
        - { destination: { host: details }, weight: 50 }
    - match: [{ uri: { prefix: /mirror } }]
      mirrors: [{ destination: { host: nobody } }, { destination: { host: ratings } }]
      route: [{ destination: { host: ratings } }]
    - { match: [{ uri: { prefix: /self } }], delegate: { name: ratings } }
    - { match: [{ uri: { prefix: /gone } }], delegate: { name: gone } }
    - { match: [{ uri: { prefix: /ok } }], delegate: { name: good } }
    - { match: [{ uri: { regex: "/slow/(a+)+b" } }], route: [{ destination: { host: details } }] }
    - { match: [{ uri: { prefix: /slow } }], route: [{ destination: { host: ratings } }] }
    - match: [{ uri: { prefix: /uneven } }]
      route: [{ destination: { host: ratings }, weight: 30 }, { destination: { host: details }, weight: 10 }]
    - match: [{ uri: { prefix: /largest } }]
      route:
        - { destination: { host: ratings }, weight: 2147483647 }
        - { destination: { host: details }, weight: 2147483647 }
`,
  ),
  vs("good", "{ http: [{ route: [{ destination: { host: details } }] }] }"),
  // Of the same age as `ratings`, and behind it by name: for sidecars it has no effect.
  vs("second", "{ hosts: [ratings], http: [{ directResponse: { status: 418 } }] }"),
  vs(
    "nowhere",
    "{ hosts: [a.example], gateways: [nowhere], http: [{ directResponse: { status: 200 } }] }",
  ),
  istio(
    "Gateway",
    "hosts.istio-system",
    `{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [UPPER.example, upper.example, lost.example] }] }`,
  ),
  // The port is HTTP already: nothing of this one may come to the gateway.
  istio(
    "Gateway",
    "tls.istio-system",
    `{ selector: { istio: ingressgateway }, servers: [{ port: { number: 80, name: tls, protocol: TLS }, hosts: [tls.example], tls: { mode: PASSTHROUGH } }] }`,
  ),
  vs(
    "upper",
    "{ hosts: [Upper.Example], gateways: [istio-system/hosts], http: [{ match: [{ uri: { prefix: /x } }], route: [{ destination: { host: details } }] }] }",
  ),
].join("\n---\n");

const ONE = (request: string, status: number, by?: string) => ({
  request: `GET http://ratings:9080${request}`,
  expect: { status, ...(by === undefined ? {} : { by }) },
});

const EXCHANGES = [
  ONE("/host", 503),
  ONE("/subset", 503),
  ONE("/port", 503),
  ONE("/mirror", 200, "ratings-v1"),
  ONE("/self", 404),
  ONE("/gone", 404),
  ONE("/ok", 200, "details-v1"),
  ONE("/none", 404),
  ONE(`/slow/${"a".repeat(4000)}b`, 200, "details-v1"),
  ONE(`/slow/${"a".repeat(4000)}`, 200, "ratings-v1"),
  {
    request: "GET http://ratings:9080/uneven",
    expect: { requests: 400, shares: { "ratings-v1": 0.75, "details-v1": 0.25 } },
  },
  {
    request: "GET http://ratings:9080/largest",
    expect: { requests: 400, shares: { "ratings-v1": 0.5, "details-v1": 0.5 } },
  },
  { request: "GET http://details:9080/x", expect: { status: 200, by: "details-v1" } },
  { request: "GET http://reviews:9080/x", expect: { status: 200 } },
  {
    from: "gateway" as const,
    request: "GET http://uppeR.example/x",
    expect: { status: 200, by: "details-v1" },
  },
  { from: "gateway" as const, request: "GET http://upper.example/y", expect: { status: 404 } },
  { from: "gateway" as const, request: "GET http://lost.example/", expect: { status: 404 } },
  { from: "gateway" as const, request: "GET http://a.example/", expect: { status: 404 } },
];

const ROUTES = 10_000;

/** One object with so many rules that a proxy takes a moment to read them. */
function manyRoutes(count: number): string {
  const rules = Array.from({ length: count }, (_, at) => {
    const host = at % 2 === 0 ? "details" : "ratings";
    return `{ match: [{ uri: { exact: /r${at} } }], route: [{ destination: { host: ${host} } }] }`;
  });
  return vs("many", `{ hosts: [reviews], http: [${rules.join(", ")}] }`);
}

for (const { plane, isThere, program } of PLANES) {
  describe.skipIf(!isThere)(`bad input with the data plane ${plane}`, () => {
    let mesh: BehaviourMesh;

    beforeAll(async () => {
      mesh = await BehaviourMesh.start(program);
    });

    afterAll(async () => {
      await mesh.stop();
    });

    test("what is wrong fails alone, and nothing is refused by a proxy", async () => {
      await mesh.configure(BAD);
      expect(mesh.rejections()).toEqual([]);
      for (const exchange of EXCHANGES) expect(await tryExchange(mesh, exchange)).toEqual([]);
    });

    test("half of a split whose other half is missing is 503", async () => {
      await mesh.configure(BAD);
      const answers = await Promise.all(
        Array.from({ length: 60 }, () => mesh.send("client", "GET http://ratings:9080/half")),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
    });

    test("what was missing comes, and counts", async () => {
      await mesh.configure(BAD);
      expect(await tryExchange(mesh, ONE("/subset", 503))).toEqual([]);
      const rule = "{ host: ratings, subsets: [{ name: v9, labels: { version: v1 } }] }";
      await mesh.configure(`${BAD}\n---\n${istio("DestinationRule", "ratings", rule)}`);
      expect(await tryExchange(mesh, ONE("/subset", 200, "ratings-v1"))).toEqual([]);
    });

    test("ten thousand routes of one object, and one more", async () => {
      await mesh.configure(manyRoutes(ROUTES));
      expect(mesh.rejections()).toEqual([]);
      const last = `GET http://reviews:9080/r${ROUTES - 1}`;
      const next = `GET http://reviews:9080/r${ROUTES}`;
      const exchanges = [
        { request: "GET http://reviews:9080/r0", expect: { status: 200, by: "details-v1" } },
        { request: last, expect: { status: 200, by: "ratings-v1" } },
      ];
      for (const one of exchanges) expect(await tryExchange(mesh, one)).toEqual([]);
      expect(await tryExchange(mesh, { request: next, expect: { status: 404 } })).toEqual([]);
      await mesh.configure(manyRoutes(ROUTES + 1));
      const grown = { request: next, expect: { status: 200, by: "details-v1" } };
      for (const one of [...exchanges, grown]) expect(await tryExchange(mesh, one)).toEqual([]);
    });
  });
}
