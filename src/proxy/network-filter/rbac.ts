import { plainRequest } from "../../match/plain-request.ts";
import type { RbacEngine } from "../../match/rbac.ts";
import type { PassingFilter, PassingFilterConfig } from "./network-filter.ts";

/** Role based access control of connections, decoded and checked. */
export interface NetworkRbacConfig {
  /** `undefined`: everybody may connect. */
  readonly rules: RbacEngine | undefined;
  /** Asked and counted, but not heeded. */
  readonly shadowRules: RbacEngine | undefined;
  readonly statPrefix: string;
  readonly shadowPrefix: string;
  /** Whether it asks each time that bytes come, and not only the first time. */
  readonly isContinuous: boolean;
}

/** Ends connections that are not allowed, when their first bytes come. */
export function networkRbac(config: NetworkRbacConfig): PassingFilterConfig {
  const { rules, shadowRules, isContinuous } = config;
  return {
    isTerminal: false,
    create({ context }) {
      const prefix = `${config.statPrefix}rbac`;
      const counters = context.counters.get(prefix, { allowed: 0, denied: 0 });
      const shadow = context.counters.get(joinName(prefix, config.shadowPrefix), {
        shadow_allowed: 0,
        shadow_denied: 0,
      });
      const nothing = plainRequest({ runtime: context.runtime });
      return (socket) => {
        const { connection } = socket;
        let isAsked = false;
        return {
          onData(isEnd) {
            if (isAsked && (isEnd || !isContinuous)) return true;
            isAsked = true;
            const { remote } = connection;
            const request = { ...nothing, connection, remote };
            if (shadowRules !== undefined) {
              const { isAllowed } = shadowRules.decide(request);
              shadow[isAllowed ? "shadow_allowed" : "shadow_denied"]++;
            }
            if (rules === undefined) return true;
            const { isAllowed, policy } = rules.decide(request);
            counters[isAllowed ? "allowed" : "denied"]++;
            if (isAllowed) return true;
            const name = (policy === "" ? "none" : policy).replace(/\s/g, "_");
            connection.terminationDetails = `rbac_access_denied_matched_policy[${name}]`;
            socket.destroy();
            return false;
          },
        } satisfies PassingFilter;
      };
    },
  };
}

/** A dot between the two, unless the second is empty or has its own at the end. */
function joinName(prefix: string, more: string): string {
  return more === "" ? prefix : `${prefix}.${more.replace(/\.$/, "")}`;
}
