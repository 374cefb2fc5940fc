import type { TrafficPolicy as TrafficPolicyObject } from "../config/traffic-policy.ts";

/** How one endpoint is chosen among many. */
export type LoadBalancer =
  | "LEAST_REQUEST"
  | "ROUND_ROBIN"
  | "RANDOM"
  | "PASSTHROUGH"
  | "RING_HASH"
  | "MAGLEV";

/** What of a request decides which endpoint it keeps to. */
export type HashKey =
  | { readonly type: "header"; readonly name: string }
  | {
      readonly type: "cookie";
      readonly name: string;
      readonly path: string;
      /** Absent: a cookie that is missing is not made; 0: made for the browser's session. */
      readonly ttlMs: number | undefined;
      readonly attributes: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly type: "source-ip" }
  | { readonly type: "query-parameter"; readonly name: string };

/** How traffic to a destination is sent; every field has its value. */
export interface TrafficPolicy {
  readonly loadBalancer: LoadBalancer;
  /** With `RING_HASH` and `MAGLEV`. */
  readonly hashKey: HashKey | undefined;
}

const LOAD_BALANCERS: Readonly<Record<string, LoadBalancer>> = {
  LEAST_REQUEST: "LEAST_REQUEST",
  // The older name of the same.
  LEAST_CONN: "LEAST_REQUEST",
  ROUND_ROBIN: "ROUND_ROBIN",
  RANDOM: "RANDOM",
};

/** What applies where no DestinationRule says anything (Istio's mesh defaults). */
export const DEFAULT_POLICY: TrafficPolicy = { loadBalancer: "LEAST_REQUEST", hashKey: undefined };

/**
 * Lays the policies over the defaults, the later over the earlier. As in Istio, a section such as
 * `loadBalancer` replaces the earlier one as a whole.
 */
export function resolvePolicy(
  ...layers: readonly (TrafficPolicyObject | undefined)[]
): TrafficPolicy {
  const { loadBalancer }: TrafficPolicyObject = Object.assign({}, ...layers);
  return {
    loadBalancer: LOAD_BALANCERS[loadBalancer?.simple ?? ""] ?? DEFAULT_POLICY.loadBalancer,
    hashKey: undefined,
  };
}
