import { describe, expect, test } from "vitest";
import { SimClock } from "../../src/base/sim-clock.ts";
import { formatSidecars } from "../../src/cli/scope.ts";
import { ProxyScopes } from "../../src/controlplane/proxy-scope.ts";
import { scopePage } from "../../src/controlplane/scope-page.ts";
import { buildProxyView, type ProxyView } from "../../src/model/proxy-view.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { MetricRegistry } from "../../src/telemetry/metrics.ts";
import { istio, meshOf, service, sidecar } from "../model/world.ts";

const ASKING = `apiVersion: v1
kind: Namespace
metadata: { name: default, labels: { weft.dev/automatic-scope: "true" } }`;
const WORLD = [
  service("reviews", { ip: "10.96.0.1", ports: ["http:9080"] }),
  service("ratings", { ip: "10.96.0.2", ports: ["http:9080"] }),
  service("far", { namespace: "other", ip: "10.96.0.3", ports: ["http:9080"] }),
  service("unused", { ip: "10.96.0.4", ports: ["http:9080"] }),
  istio(
    "VirtualService",
    "reviews",
    "{ hosts: [reviews], http: [{ route: [{ destination: { host: ratings } }] }] }",
  ),
];

function clustersOf({ clusters }: ProxyView): readonly string[] {
  return clusters
    .flat()
    .map(({ name }) => name)
    .sort();
}

describe("what was seen, as a Sidecar", () => {
  test("imports what was called; the workload sees the same with it", async () => {
    const mesh = meshOf(ASKING, ...WORLD);
    const node = sidecar({ labels: { app: "shop" } });
    const scopes = new ProxyScopes({
      clock: new SimClock(),
      log: silentLogger,
      metrics: new MetricRegistry(),
      file: undefined,
      mesh: () => mesh,
      refresh: () => undefined,
    });
    scopes.connect(
      "a",
      { id: node.id, cluster: "", metadata: {}, userAgent: "envoy 1.40.0", variant: "delta" },
      node,
    );
    scopes.viewOf("a", node);
    scopes.want("a", "virtualHost", ["9080/reviews", "9080/far.other:9080", "9080/nobody"]);
    const seen = scopes.viewOf("a", node);
    const page = scopePage(scopes, mesh);
    await scopes.stop();
    expect(page.workloads.map(({ name, hosts }) => [name, hosts.map((one) => one.import)])).toEqual(
      [
        [
          "shop",
          [
            "other/far.other.svc.cluster.local",
            undefined,
            "default/reviews.default.svc.cluster.local",
          ],
        ],
      ],
    );
    const { text, left } = formatSidecars(page.workloads);
    expect(left).toEqual([]);
    const byHand = buildProxyView(meshOf(ASKING, ...WORLD, text), node);
    expect(clustersOf(byHand)).toEqual([
      "outbound|9080||far.other.svc.cluster.local",
      "outbound|9080||ratings.default.svc.cluster.local",
      "outbound|9080||reviews.default.svc.cluster.local",
    ]);
    // What a rule leads elsewhere is not needed as itself.
    expect(clustersOf(seen)).toEqual(clustersOf(byHand).slice(0, 2));
  });

  test("says of whom none can be written", () => {
    const hosts = [{ asked: "9080/a", import: "default/a" }];
    const { text, left } = formatSidecars([
      { namespace: "default", name: "alone", selector: {}, hosts },
      {
        namespace: "default",
        name: "gone",
        selector: { app: "gone" },
        hosts: [{ asked: "9080/a" }],
      },
    ]);
    expect(text).toBe("");
    expect(left.map((one) => one.split(":")[0])).toEqual(["default/alone", "default/gone"]);
  });
});
