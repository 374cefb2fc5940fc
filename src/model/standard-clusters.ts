import { BLACK_HOLE, type Cluster } from "./cluster.ts";
import { DEFAULT_SETTINGS } from "./mesh-settings.ts";
import { DEFAULT_POLICY } from "./traffic-policy.ts";

/** Where traffic goes that must go nowhere; has no endpoints, ever. */
export const BLACK_HOLE_CLUSTER: Cluster = {
  name: BLACK_HOLE,
  direction: "outbound",
  discovery: { type: "static", endpoints: [] },
  target: undefined,
  policy: DEFAULT_POLICY,
  connectTimeoutMs: DEFAULT_SETTINGS.connectTimeoutMs,
  upstreamProtocol: "tcp",
  origins: [],
};
