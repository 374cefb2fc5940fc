import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpListener, routeTable } from "./bootstrap-json.ts";
import { BothPlanes } from "./both-planes.ts";

const planes = new BothPlanes<"in">();

const KNOWN = "outbound|80||gone.default.svc.cluster.local";
const SUBSET = "outbound|80|v9|reviews.default.svc.cluster.local";
const METADATA = {
  filter_metadata: {
    weft: { missing: { [KNOWN]: "host_not_found", [SUBSET]: "subset_not_found" } },
  },
};

/** Every answer of the proxy's own says why. */
const TELL = { body_format: { text_format: "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%" } };

beforeAll(async () => {
  await planes.start(["in"], (ports) => {
    const routes = [
      { match: { prefix: "/host" }, metadata: METADATA, route: { cluster: KNOWN } },
      {
        match: { prefix: "/subset" },
        metadata: METADATA,
        route: { weighted_clusters: { clusters: [{ name: SUBSET, weight: 1 }] } },
      },
      { match: { prefix: "/plain" }, metadata: METADATA, route: { cluster: "elsewhere" } },
      {
        match: { prefix: "/404" },
        route: { cluster: KNOWN, cluster_not_found_response_code: "NOT_FOUND" },
      },
    ];
    const route_config = routeTable(routes);
    return {
      admin: { address: { socket_address: { address: "127.0.0.1", port_value: ports.admin } } },
      static_resources: {
        listeners: [httpListener("in", ports.in, { route_config, local_reply_config: TELL })],
      },
    };
  });
});

afterAll(() => planes.stop());

describe("a route whose cluster is not there", () => {
  test.each([
    ["/host", "503 NC host_not_found", "503 NC cluster_not_found"],
    ["/subset", "503 NC subset_not_found", "503 NC cluster_not_found"],
    ["/plain", "503 NC cluster_not_found", "503 NC cluster_not_found"],
    ["/404", "404 NC cluster_not_found", "404 NC cluster_not_found"],
  ])("answers %s with what the control plane knew of it", async (path, ours, theirs) => {
    const { weft, envoy } = await planes.each(async ({ name, ports }) => {
      const answer = await fetch(`http://127.0.0.1:${ports.in}${path}`);
      return { name, said: `${answer.status} ${await answer.text()}` };
    });
    expect(weft.said).toBe(ours);
    expect(envoy.said).toBe(envoy.name === "weft" ? ours : theirs);
  });
});
