import { memoise } from "../base/memo.ts";
import {
  ALLOW_ANY_DYNAMIC_DNS,
  BLACK_HOLE,
  type Cluster,
  type LookupFamily,
  PASSTHROUGH,
} from "./cluster.ts";
import { DEFAULT_SETTINGS, type MeshSettings } from "./mesh-settings.ts";
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

/** Hosts that nobody knows are many, and each has connections of its own (Istio's bound). */
const PASSTHROUGH_IDLE_MS = 300_000;

/** Where captured traffic goes for hosts that nobody knows: on, to the address that it meant. */
export const passthroughCluster = memoise(
  ({ connectTimeoutMs }: MeshSettings): Cluster => ({
    name: PASSTHROUGH,
    direction: "outbound",
    discovery: { type: "original-dst" },
    target: undefined,
    policy: { ...DEFAULT_POLICY, loadBalancer: "PASSTHROUGH" },
    connectTimeoutMs,
    upstreamProtocol: "client",
    httpIdleTimeoutMs: PASSTHROUGH_IDLE_MS,
    origins: [],
  }),
);

/** Where requests go for hosts that nobody knows, with `ALLOW_ANY_DYNAMIC_DNS`: to their host. */
export const allowAnyDynamicDnsCluster = memoise(
  ({ connectTimeoutMs, dnsRefreshMs }: MeshSettings, family: LookupFamily): Cluster => ({
    name: ALLOW_ANY_DYNAMIC_DNS,
    direction: "outbound",
    discovery: { type: "dynamic-dns", family, refreshMs: dnsRefreshMs },
    target: undefined,
    policy: DEFAULT_POLICY,
    connectTimeoutMs,
    upstreamProtocol: "client",
    origins: [],
  }),
);
