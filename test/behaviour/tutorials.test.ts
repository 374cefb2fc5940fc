import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
import { BehaviourLoad } from "./behaviour-load.ts";
import { BehaviourMesh } from "./behaviour-mesh.ts";
import { tryExchange } from "./try-exchange.ts";
import { TUTORIAL_CASES } from "./tutorial-cases.ts";
import { TUTORIALS } from "./tutorial-world.ts";

const envoy = findProgram("envoy");

/** How long the app takes for a request that others must not disturb. */
const SLOW_MS = 150;

function connectionsOfReviews(connectionPool: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
  - name: v1
    labels: { version: v1 }
    trafficPolicy: { connectionPool: ${connectionPool} }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ route: [{ destination: { host: reviews, subset: v1 } }] }]
`;
}

const SUBSETS = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v3, labels: { version: v3 } }]
`;

function toVersion(version: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ route: [{ destination: { host: reviews, subset: ${version} } }] }]
`;
}

const TO_V1 = toVersion("v1");
const TO_V3 = toVersion("v3");

/** The statuses of requests that all want the app at the same time, in order of their numbers. */
async function sendAtOnce(mesh: BehaviourMesh, count: number): Promise<readonly number[]> {
  const headers = { "x-answer-after-ms": String(SLOW_MS) };
  const answers = Array.from({ length: count }, () =>
    mesh.send("client", "GET http://reviews:9080/slow", headers),
  );
  return (await Promise.all(answers)).map(({ status }) => status).sort((a, b) => a - b);
}

const PLANES = [
  { plane: "weft", isThere: true, program: undefined },
  { plane: "envoy", isThere: envoy !== undefined, program: envoy },
];

for (const { plane, isThere, program } of PLANES) {
  describe.skipIf(!isThere)(`what tutorials apply, on the data plane ${plane}`, () => {
    let mesh: BehaviourMesh;

    beforeAll(async () => {
      mesh = await BehaviourMesh.start(program, TUTORIALS);
    }, 60_000);

    afterAll(async () => {
      await mesh.stop();
    });

    test.each(TUTORIAL_CASES)("$name", async (one) => {
      const { config } = one;
      await mesh.configure(typeof config === "string" ? config : config(mesh.block), one.unready);
      expect(mesh.rejections()).toEqual([]);
      for (const exchange of one.exchanges) expect(await tryExchange(mesh, exchange)).toEqual([]);
    });

    test("websockets go through rules, in the mesh and at the gateway", async () => {
      await mesh.configure(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: chat }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [chat.example.com] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: chat }
spec:
  hosts: [chat.example.com, ratings]
  gateways: [chat, mesh]
  http:
  - match: [{ uri: { prefix: /chat } }]
    timeout: 5s
    route: [{ destination: { host: ratings, port: { number: 9080 } } }]
`);
      const text = "hello";
      expect(await mesh.sendOverWebsocket("gateway", "http://chat.example.com/chat", text)).toBe(
        text,
      );
      expect(await mesh.sendOverWebsocket("client", "http://ratings:9080/chat", text)).toBe(text);
      await expect(
        mesh.sendOverWebsocket("client", "http://ratings:9080/else", text),
      ).rejects.toThrow("answered with 404");
    });

    test("no request fails while a rule and its subsets come and go one after the other", async () => {
      await mesh.configure("");
      const load = new BehaviourLoad(mesh, "GET http://reviews:9080/reviews/0");
      for (let round = 0; round < 25; round++) {
        // Each as soon as a request was answered, whatever proxies have by then.
        for (const yaml of [
          SUBSETS,
          `${SUBSETS}---${TO_V3}`,
          `${SUBSETS}---${TO_V1}`,
          SUBSETS,
          "",
        ]) {
          mesh.write(yaml);
          await mesh.send("client", "GET http://reviews:9080/reviews/0");
        }
      }
      await mesh.configure("");
      expect(await load.stop()).toEqual(["reviews-v1", "reviews-v2", "reviews-v3"]);
    });

    test("a balancer in turn goes round, request by request", async () => {
      await mesh.configure(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: my-svc }
spec:
  host: my-svc
  trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } }
`);
      const by: (string | undefined)[] = [];
      for (let sent = 0; sent < 12; sent++) {
        by.push((await mesh.send("client", "GET http://my-svc/")).echo?.by);
      }
      expect(new Set(by.slice(0, 4)).size).toBe(4);
      expect(by.slice(4)).toEqual([...by.slice(0, 4), ...by.slice(0, 4)]);
    });

    test("connections are as many as allowed, and further requests wait", async () => {
      await mesh.configure(connectionsOfReviews("{ tcp: { maxConnections: 2 } }"));
      const startMs = performance.now();
      const statuses = await sendAtOnce(mesh, 4);
      expect(statuses).toEqual([200, 200, 200, 200]);
      expect(performance.now() - startMs).toBeGreaterThan(2 * SLOW_MS - 10);
    });

    test("requests that may not wait are turned away", async () => {
      await mesh.configure(
        connectionsOfReviews(
          "{ tcp: { maxConnections: 2 }, http: { http1MaxPendingRequests: 1 } }",
        ),
      );
      const statuses = await sendAtOnce(mesh, 6);
      // One more than connections may wait; more are turned away while connections are opened.
      expect(statuses[0]).toBe(200);
      expect(statuses.slice(3)).toEqual([503, 503, 503]);
      expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    });
  });
}
