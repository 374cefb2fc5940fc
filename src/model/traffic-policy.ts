import type { TrafficPolicy as TrafficPolicyObject } from "../config/traffic-policy.ts";

/** How one endpoint is chosen among many. */
export type LoadBalancer = "LEAST_REQUEST" | "ROUND_ROBIN" | "RANDOM";

/** How traffic to a destination is sent; every field has its value. */
export interface TrafficPolicy {
  readonly loadBalancer: LoadBalancer;
}

const LOAD_BALANCERS: Readonly<Record<string, LoadBalancer>> = {
  LEAST_REQUEST: "LEAST_REQUEST",
  // The older name of the same.
  LEAST_CONN: "LEAST_REQUEST",
  ROUND_ROBIN: "ROUND_ROBIN",
  RANDOM: "RANDOM",
};

/** What applies where no DestinationRule says anything (Istio's mesh defaults). */
export const DEFAULT_POLICY: TrafficPolicy = { loadBalancer: "LEAST_REQUEST" };

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
  };
}
