import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findProgram } from "../programs.ts";
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
