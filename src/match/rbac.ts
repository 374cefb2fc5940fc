import {
  type Policy,
  PolicySchema,
  type RBAC,
  RBAC_Action,
  RBACSchema,
} from "../api/gen/envoy/config/rbac/v3/rbac_pb.js";
import type { Issue } from "../base/issue.ts";
import type { MatchRecorder, MatchRequest } from "./match-request.ts";
import { oneOf, type RequestTest } from "./rbac/conditions.ts";
import { compilePermission } from "./rbac/permission.ts";
import { compilePrincipal } from "./rbac/principal.ts";
import { refuseFields } from "./refuse-fields.ts";
import { wireText } from "./wire-text.ts";

/** What the policies say to a request. */
export interface RbacVerdict {
  readonly isAllowed: boolean;
  /** The policy that matched; "" when none did. */
  readonly policy: string;
}

/** Policies, compiled. */
export interface RbacEngine {
  /** What happens to who matches; LOG allows everybody and is only told apart in metadata. */
  readonly action: "ALLOW" | "DENY" | "LOG";
  readonly decide: (request: MatchRequest, recorder?: MatchRecorder) => RbacVerdict;
}

interface CompiledPolicy {
  readonly name: string;
  readonly permits: RequestTest;
  readonly identifies: RequestTest;
  readonly verdict: RbacVerdict;
}

const ACTIONS: Readonly<Record<RBAC_Action, RbacEngine["action"]>> = {
  [RBAC_Action.ALLOW]: "ALLOW",
  [RBAC_Action.DENY]: "DENY",
  [RBAC_Action.LOG]: "LOG",
};

/**
 * Compiles role based access control. The policies are asked in the order of their names, and the
 * first that matches is named in the verdict. Over a connection alone (`plainRequest`), what asks
 * for a header or a path does not match.
 */
export function compileRbac(message: RBAC, path: string, issues: Issue[]): RbacEngine {
  issues.push(...refuseFields(RBACSchema, message, ["action", "policies"], path));
  const action = ACTIONS[message.action] ?? "ALLOW";
  const policies = Object.entries(message.policies)
    .map(([name, policy]) => {
      const verdict = { isAllowed: action !== "DENY", policy: name };
      return compilePolicy(policy, { name, verdict, path: `${path}.policies["${name}"]`, issues });
    })
    .sort((left, right) => (wireText(left.name) < wireText(right.name) ? -1 : 1));
  const otherwise: RbacVerdict = { isAllowed: action !== "ALLOW", policy: "" };
  return {
    action,
    decide(request, recorder) {
      for (const policy of policies) {
        if (policy.permits(request) && policy.identifies(request)) return policy.verdict;
        if (recorder !== undefined) recordLoss(policy, request, recorder);
      }
      return otherwise;
    },
  };
}

function compilePolicy(
  policy: Policy,
  to: { name: string; verdict: RbacVerdict; path: string; issues: Issue[] },
): CompiledPolicy {
  const { name, verdict, path, issues } = to;
  issues.push(...refuseFields(PolicySchema, policy, ["permissions", "principals"], path));
  if (policy.permissions.length === 0) issues.push({ path, message: "has no permissions" });
  if (policy.principals.length === 0) issues.push({ path, message: "has no principals" });
  return {
    name,
    verdict,
    permits: oneOf(
      policy.permissions.map((permission, at) =>
        compilePermission(permission, `${path}.permissions[${at}]`, issues),
      ),
    ),
    identifies: oneOf(
      policy.principals.map((principal, at) =>
        compilePrincipal(principal, `${path}.principals[${at}]`, issues),
      ),
    ),
  };
}

function recordLoss(
  { name, permits }: CompiledPolicy,
  request: MatchRequest,
  recorder: MatchRecorder,
): void {
  const what = permits(request) ? "none of its principals is the client" : "no permission matches";
  recorder.lost(`policy ${name}`, what);
}
