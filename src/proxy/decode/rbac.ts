import type { RBAC as Rules } from "../../api/gen/envoy/config/rbac/v3/rbac_pb.js";
import {
  RBACPerRouteSchema,
  RBACSchema,
  type RBAC as RbacMessage,
} from "../../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js";
import type { Issue } from "../../base/issue.ts";
import { compileRbac, type RbacEngine } from "../../match/rbac.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { FilterScope, FilterStream } from "../http/http-filter.ts";
import { RbacFilter, type RbacSettings, RbacStats } from "../http-filter/rbac.ts";
import { extension } from "./extension.ts";

/** `envoy.filters.http.rbac` in a connection manager. */
export const RBAC = extension(RBACSchema, (message, path, issues) => {
  const settings = decodeSettings(message, path, issues);
  return {
    open: (scope: FilterScope) => {
      const stats = new RbacStats(scope, settings);
      return (stream: FilterStream) => new RbacFilter(stream, scope.name, settings, stats);
    },
  };
});

/** What a route says takes the place of the filter's own; without anything the route is open. */
export const RBAC_OF_ROUTE = extension(RBACPerRouteSchema, (message, path, issues) => {
  issues.push(...refuseFields(RBACPerRouteSchema, message, ["rbac"], path));
  const { rbac } = message;
  return rbac === undefined ? OPEN : decodeSettings(rbac, joinPath(path, "rbac"), issues);
});

const OPEN: RbacSettings = {
  filter: "rbac",
  rules: undefined,
  shadowRules: undefined,
  rulesPrefix: "",
  shadowPrefix: "",
  countsPolicies: false,
};

const FIELDS = [
  "rules",
  "rules_stat_prefix",
  "shadow_rules",
  "shadow_rules_stat_prefix",
  "track_per_rule_stats",
];

function decodeSettings(message: RbacMessage, path: string, issues: Issue[]): RbacSettings {
  issues.push(...refuseFields(RBACSchema, message, FIELDS, path));
  const compile = (rules: Rules | undefined, field: string): RbacEngine | undefined =>
    rules && compileRbac(rules, joinPath(path, field), issues);
  return {
    filter: "rbac",
    rules: compile(message.rules, "rules"),
    shadowRules: compile(message.shadowRules, "shadow_rules"),
    rulesPrefix: message.rulesStatPrefix,
    shadowPrefix: message.shadowRulesStatPrefix,
    countsPolicies: message.trackPerRuleStats,
  };
}
