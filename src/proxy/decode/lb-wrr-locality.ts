import {
  type WrrLocality,
  WrrLocalitySchema,
} from "../../api/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";

/** The only policy that may choose within a locality, in Envoy too. */
const CLIENT_SIDE =
  /[./]envoy\.extensions\.load_balancing_policies\.client_side_weighted_round_robin\./;
const ENVOYS = /[./]envoy\.extensions\.load_balancing_policies\./;

/**
 * Refuses the policy, in Envoy's words where Envoy does. It may only go with one that weighs hosts
 * by what they report, which is not built.
 */
export function refuseWrrLocality(message: WrrLocality, path: string, issues: Issue[]): void {
  issues.push(...refuseFields(WrrLocalitySchema, message, ["endpoint_picking_policy"], path));
  const policies = message.endpointPickingPolicy?.policies ?? [];
  const at = joinPath(path, "endpoint_picking_policy");
  for (const { typedExtensionConfig } of policies) {
    const typeUrl = typedExtensionConfig?.typedConfig?.typeUrl ?? "";
    if (!ENVOYS.test(typeUrl)) continue;
    const isClientSide = CLIENT_SIDE.test(typeUrl);
    const what = isClientSide
      ? `policy ${typedExtensionConfig?.name ?? ""} is not supported yet`
      : "Currently WrrLocalityLoadBalancer only supports ClientSideWeightedRoundRobinLoadBalancer as its endpoint picking policy.";
    issues.push({ path: at, message: what });
    return;
  }
  issues.push({ path: at, message: "No supported endpoint picking policy." });
}
