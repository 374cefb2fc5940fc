import type { CidrRange } from "../../api/gen/envoy/config/core/v3/address_pb.js";
import {
  type Principal,
  type Principal_Authenticated,
  Principal_AuthenticatedSchema,
  type Principal_Set,
  Principal_SetSchema,
  PrincipalSchema,
} from "../../api/gen/envoy/config/rbac/v3/rbac_pb.js";
import {
  type FilterStateMatcher,
  FilterStateMatcherSchema,
} from "../../api/gen/envoy/type/matcher/v3/filter_state_pb.js";
import { compileCidrTest } from "../../base/cidr.ts";
import type { Issue } from "../../base/issue.ts";
import { decodeCidr } from "../cidr-match.ts";
import type { PeerAddress } from "../connection-info.ts";
import { compileHeaderMatch } from "../header-match.ts";
import type { MatchRequest } from "../match-request.ts";
import { compileMetadataMatch } from "../metadata-match.ts";
import { joinPath, refuseFields } from "../refuse-fields.ts";
import { compileStringMatch } from "../string-match.ts";
import { allOf, compileUrlPath, NEVER, oneOf, type RequestTest } from "./conditions.ts";

const HANDLED = [
  "and_ids",
  "or_ids",
  "any",
  "authenticated",
  "source_ip",
  "direct_remote_ip",
  "remote_ip",
  "header",
  "url_path",
  "metadata",
  "filter_state",
  "not_id",
];

/** Compiles whom a policy is about. */
export function compilePrincipal(principal: Principal, path: string, issues: Issue[]): RequestTest {
  issues.push(...refuseFields(PrincipalSchema, principal, HANDLED, path));
  const { identifier } = principal;
  switch (identifier.case) {
    case "andIds":
      return allOf(compileSet(identifier.value, joinPath(path, "and_ids"), issues));
    case "orIds":
      return oneOf(compileSet(identifier.value, joinPath(path, "or_ids"), issues));
    case "notId": {
      const test = compilePrincipal(identifier.value, joinPath(path, "not_id"), issues);
      return (request) => !test(request);
    }
    case "any":
      return () => true;
    case "authenticated":
      return compileAuthenticated(identifier.value, joinPath(path, "authenticated"), issues);
    case "sourceIp":
      // What the PROXY protocol says counts here, and what headers say does not.
      return compileAddress(identifier.value, ({ connection }) => connection.remote, {
        path: joinPath(path, "source_ip"),
        issues,
      });
    case "directRemoteIp":
      return compileAddress(identifier.value, ({ connection }) => connection.directRemote, {
        path: joinPath(path, "direct_remote_ip"),
        issues,
      });
    case "remoteIp":
      return compileAddress(identifier.value, ({ remote }) => remote, {
        path: joinPath(path, "remote_ip"),
        issues,
      });
    case "header":
      return compileHeaderMatch(identifier.value, joinPath(path, "header"), issues).matches;
    case "urlPath":
      return compileUrlPath(identifier.value, joinPath(path, "url_path"), issues);
    case "metadata":
      return compileMetadataMatch(identifier.value, joinPath(path, "metadata"), issues).matches;
    case "filterState":
      return compileFilterState(identifier.value, joinPath(path, "filter_state"), issues);
    case undefined:
      issues.push({ path, message: "has no identifier" });
      return NEVER;
  }
}

function compileSet(set: Principal_Set, path: string, issues: Issue[]): RequestTest[] {
  issues.push(...refuseFields(Principal_SetSchema, set, ["ids"], path));
  if (set.ids.length === 0) issues.push({ path, message: "has no ids" });
  return set.ids.map((id, at) => compilePrincipal(id, `${path}.ids[${at}]`, issues));
}

function compileAddress(
  message: CidrRange,
  read: (request: MatchRequest) => PeerAddress,
  { path, issues }: { path: string; issues: Issue[] },
): RequestTest {
  const range = decodeCidr(message, path, issues);
  const isIn = compileCidrTest(range === undefined ? [] : [range]);
  return (request) => isIn(read(request).address);
}

/**
 * Without a name, whoever speaks TLS; the listener has decided which certificates it takes. With
 * one, a URI of the certificate, else a DNS name of it, else its subject must match.
 */
function compileAuthenticated(
  message: Principal_Authenticated,
  path: string,
  issues: Issue[],
): RequestTest {
  issues.push(...refuseFields(Principal_AuthenticatedSchema, message, ["principal_name"], path));
  if (message.principalName === undefined) return ({ connection }) => connection.tls !== undefined;
  const test = compileStringMatch(message.principalName, joinPath(path, "principal_name"), issues);
  return ({ connection: { tls } }) => {
    if (tls === undefined) return false;
    const { peer } = tls;
    if (peer === undefined) return test("");
    if (peer.uriSans.some(test)) return true;
    return peer.dnsSans.some(test) || test(peer.subject);
  };
}

function compileFilterState(
  matcher: FilterStateMatcher,
  path: string,
  issues: Issue[],
): RequestTest {
  const handled = ["key", "string_match"];
  issues.push(...refuseFields(FilterStateMatcherSchema, matcher, handled, path));
  const { key } = matcher;
  if (key === "") issues.push({ path: joinPath(path, "key"), message: "is missing" });
  const pattern = matcher.matcher.case === "stringMatch" ? matcher.matcher.value : undefined;
  const test = compileStringMatch(pattern, joinPath(path, "string_match"), issues);
  return (request) => {
    const value = request.filterState(key)?.text;
    return value !== undefined && test(value);
  };
}
