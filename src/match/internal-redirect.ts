import {
  type InternalRedirectPolicy as InternalRedirectMessage,
  InternalRedirectPolicySchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { AllowListedRoutesConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config_pb.js";
import { PreviousRoutesConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config_pb.js";
import { SafeCrossSchemeConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config_pb.js";
import { typeUrlOf } from "../api/type-url.ts";
import type { Issue } from "../base/issue.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { type TypedExtension, unpackOf } from "./unpack.ts";
import { wireText } from "./wire-text.ts";

/** Redirects of an upstream that the proxy follows by itself. */
export interface InternalRedirectPolicy {
  readonly redirectsMax: number;
  readonly statuses: ReadonlySet<number>;
  /** Whether it may lead from `http` to `https` or back. */
  readonly allowsCrossScheme: boolean;
  /** Only from `https` to `http` is forbidden. */
  readonly isSafeCrossScheme: boolean;
  /** A route that was taken already is not taken again. */
  readonly avoidsPreviousRoutes: boolean;
  /** The only routes that it may lead to; `undefined`: any. */
  readonly allowedRoutes: ReadonlySet<string> | undefined;
  /** Headers of the response, in lower case, that the new request gets. */
  readonly responseHeadersToCopy: readonly string[];
}

const HANDLED = [
  "max_internal_redirects",
  "redirect_response_codes",
  "predicates",
  "allow_cross_scheme_redirect",
  "response_headers_to_copy",
];

/** The statuses that can be followed; others in the list are passed over, as Envoy does. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Decodes the internal redirect policy of a route. */
export function decodeInternalRedirect(
  message: InternalRedirectMessage,
  path: string,
  issues: Issue[],
): InternalRedirectPolicy {
  issues.push(...refuseFields(InternalRedirectPolicySchema, message, HANDLED, path));
  const given = message.redirectResponseCodes;
  for (const [at, name] of message.responseHeadersToCopy.entries()) {
    if (!name.startsWith(":") && name.toLowerCase() !== "host") continue;
    const what = ":-prefixed headers or Hosts may not be specified here.";
    issues.push({ path: joinPath(path, `response_headers_to_copy[${at}]`), message: what });
  }
  return {
    redirectsMax: message.maxInternalRedirects ?? 1,
    statuses: new Set(given.length === 0 ? [302] : given.filter((code) => REDIRECTS.has(code))),
    allowsCrossScheme: message.allowCrossSchemeRedirect,
    ...decodePredicates(message, path, issues),
    responseHeadersToCopy: message.responseHeadersToCopy.map((name) =>
      wireText(name).toLowerCase(),
    ),
  };
}

function decodePredicates(
  message: InternalRedirectMessage,
  path: string,
  issues: Issue[],
): Pick<InternalRedirectPolicy, "isSafeCrossScheme" | "avoidsPreviousRoutes" | "allowedRoutes"> {
  let isSafeCrossScheme = false;
  let avoidsPreviousRoutes = false;
  let allowedRoutes: Set<string> | undefined;
  for (const [at, { name, typedConfig: any }] of message.predicates.entries()) {
    const predicate: TypedExtension = { name, any, path: joinPath(path, `predicates[${at}]`) };
    switch (any?.typeUrl) {
      case typeUrlOf(SafeCrossSchemeConfigSchema):
        isSafeCrossScheme = true;
        break;
      case typeUrlOf(AllowListedRoutesConfigSchema): {
        const names = unpackOf(AllowListedRoutesConfigSchema, predicate, issues);
        const listed = new Set(names?.allowedRouteNames);
        // Each predicate must agree.
        const before = allowedRoutes;
        allowedRoutes = before && new Set([...before].filter((route) => listed.has(route)));
        allowedRoutes ??= listed;
        break;
      }
      case typeUrlOf(PreviousRoutesConfigSchema):
        avoidsPreviousRoutes = true;
        break;
      case undefined:
      default:
        unpackOf(PreviousRoutesConfigSchema, predicate, issues);
    }
  }
  return { isSafeCrossScheme, avoidsPreviousRoutes, allowedRoutes };
}
