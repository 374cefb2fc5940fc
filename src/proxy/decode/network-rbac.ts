import type {
  Permission,
  Principal,
  RBAC as Rules,
} from "../../api/gen/envoy/config/rbac/v3/rbac_pb.js";
import {
  type RBAC,
  RBAC_EnforcementType,
  RBACSchema,
} from "../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js";
import type { Issue } from "../../base/issue.ts";
import { compileRbac, type RbacEngine } from "../../match/rbac.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { PassingFilterConfig } from "../network-filter/network-filter.ts";
import { networkRbac } from "../network-filter/rbac.ts";

const FIELDS = [
  "rules",
  "shadow_rules",
  "shadow_rules_stat_prefix",
  "stat_prefix",
  "enforcement_type",
];

/** Decodes role based access control of connections. */
export function decodeNetworkRbac(
  message: RBAC,
  path: string,
  issues: Issue[],
): PassingFilterConfig {
  issues.push(...refuseFields(RBACSchema, message, FIELDS, path));
  const compile = (rules: Rules | undefined, field: string): RbacEngine | undefined => {
    if (rules === undefined) return undefined;
    const rulesPath = joinPath(path, field);
    refuseHeaders(rules, rulesPath, issues);
    return compileRbac(rules, rulesPath, issues);
  };
  return networkRbac({
    rules: compile(message.rules, "rules"),
    shadowRules: compile(message.shadowRules, "shadow_rules"),
    statPrefix: message.statPrefix,
    shadowPrefix: message.shadowRulesStatPrefix,
    isContinuous: message.enforcementType === RBAC_EnforcementType.CONTINUOUS,
  });
}

/** A connection has no headers; Envoy looks no further than this for what cannot be asked. */
function refuseHeaders({ policies }: Rules, path: string, issues: Issue[]): void {
  for (const [name, { permissions, principals }] of Object.entries(policies)) {
    const found = [...permissions, ...principals].some(asksHeader);
    if (!found) continue;
    const message = "Found header rule, not supported by RBAC network filter";
    issues.push({ path: `${path}.policies["${name}"]`, message });
  }
}

function asksHeader(condition: Permission | Principal): boolean {
  const { rule, identifier } = { rule: undefined, identifier: undefined, ...condition };
  const asked = rule ?? identifier;
  if (asked?.case === "header") return true;
  if (asked?.case === "notRule" || asked?.case === "notId") return asksHeader(asked.value);
  if (asked?.case === "andRules" || asked?.case === "orRules") {
    return asked.value.rules.some(asksHeader);
  }
  if (asked?.case === "andIds" || asked?.case === "orIds") return asked.value.ids.some(asksHeader);
  return false;
}
