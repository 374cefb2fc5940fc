import type { Infer } from "./schema.ts";
import { array, boolean, map, object, string, uint32 } from "./schema.ts";

/** `LocalityLoadBalancerSetting`, of DestinationRules and MeshConfig. */
export const localityLbSettingSchema = object({
  distribute: array(
    object({
      from: string({ description: "`region/zone/sub-zone`; a part may be `*`." }),
      to: map(uint32(), { description: "Percents by locality; together 100." }),
    }),
  ),
  failover: array(object({ from: string(), to: string() }), {
    description: "Regions: where traffic goes when one has not enough healthy endpoints.",
  }),
  failoverPriority: array(string(), {
    description: "Labels, the weightiest first; `label=value` counts as equal to the client's.",
  }),
  enabled: boolean({ description: "Overrides the mesh's." }),
});

/** Which localities get a client's traffic. */
export type LocalityLbSetting = Infer<typeof localityLbSettingSchema>;
