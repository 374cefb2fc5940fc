import {
  type CorsPolicy as CorsPolicyMessage,
  CorsPolicySchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { decodeRuntimeShare, type RuntimeShare } from "./runtime-reader.ts";
import { compileStringMatch, type StringPredicate } from "./string-match.ts";
import { wireText } from "./wire-text.ts";

/** Which pages of other origins a browser lets talk to a route. */
export interface CorsPolicy {
  /** One of them must match the origin. */
  readonly allowsOrigin: readonly StringPredicate[];
  /** Header values, as they are written; "" leaves the header out. */
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  readonly maxAge: string;
  /** `undefined`: nothing is said. */
  readonly allowsCredentials: boolean | undefined;
  readonly allowsPrivateNetwork: boolean | undefined;
  readonly forwardsNotMatchingPreflights: boolean | undefined;
  /** `undefined`: for all requests. */
  readonly enabled: RuntimeShare | undefined;
  /** For how many requests it is only counted; `undefined`: none. */
  readonly shadowEnabled: RuntimeShare | undefined;
}

const HANDLED = [
  "allow_origin_string_match",
  "allow_methods",
  "allow_headers",
  "expose_headers",
  "max_age",
  "allow_credentials",
  "filter_enabled",
  "shadow_enabled",
  "allow_private_network_access",
  "forward_not_matching_preflights",
];

/** Decodes a CORS policy that stands in a virtual host or a route. */
export function decodeCorsPolicy(
  message: CorsPolicyMessage,
  path: string,
  issues: Issue[],
): CorsPolicy {
  issues.push(...refuseFields(CorsPolicySchema, message, HANDLED, path));
  const { enabledSpecifier, shadowEnabled } = message;
  return {
    allowsOrigin: message.allowOriginStringMatch.map((matcher, at) =>
      compileStringMatch(matcher, joinPath(path, `allow_origin_string_match[${at}]`), issues),
    ),
    allowMethods: wireText(message.allowMethods),
    allowHeaders: wireText(message.allowHeaders),
    exposeHeaders: wireText(message.exposeHeaders),
    maxAge: wireText(message.maxAge),
    allowsCredentials: message.allowCredentials,
    allowsPrivateNetwork: message.allowPrivateNetworkAccess,
    forwardsNotMatchingPreflights: message.forwardNotMatchingPreflights,
    enabled:
      enabledSpecifier.case === "filterEnabled"
        ? decodeRuntimeShare(enabledSpecifier.value, joinPath(path, "filter_enabled"), issues)
        : undefined,
    shadowEnabled:
      shadowEnabled && decodeRuntimeShare(shadowEnabled, joinPath(path, "shadow_enabled"), issues),
  };
}

/** What one level leaves open is as the level below it says; how often is each one's own. */
export function mergeCorsPolicies(more: CorsPolicy, less: CorsPolicy): CorsPolicy {
  return {
    ...more,
    allowsOrigin: more.allowsOrigin.length > 0 ? more.allowsOrigin : less.allowsOrigin,
    allowMethods: more.allowMethods || less.allowMethods,
    allowHeaders: more.allowHeaders || less.allowHeaders,
    exposeHeaders: more.exposeHeaders || less.exposeHeaders,
    maxAge: more.maxAge || less.maxAge,
    allowsCredentials: more.allowsCredentials ?? less.allowsCredentials,
    allowsPrivateNetwork: more.allowsPrivateNetwork ?? less.allowsPrivateNetwork,
    forwardsNotMatchingPreflights:
      more.forwardsNotMatchingPreflights ?? less.forwardsNotMatchingPreflights,
  };
}
