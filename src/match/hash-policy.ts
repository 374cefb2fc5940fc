import {
  type RouteAction_HashPolicy,
  RouteAction_HashPolicy_ConnectionPropertiesSchema,
  type RouteAction_HashPolicy_Cookie,
  RouteAction_HashPolicy_CookieAttributeSchema,
  RouteAction_HashPolicy_CookieSchema,
  RouteAction_HashPolicy_FilterStateSchema,
  RouteAction_HashPolicy_HeaderSchema,
  RouteAction_HashPolicy_QueryParameterSchema,
  RouteAction_HashPolicySchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import { readPseudoHeader } from "./header-match.ts";
import type { MatchRequest } from "./match-request.ts";
import { findParameter } from "./query-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileRegexRewrite } from "./regex-rewrite.ts";
import { wireText } from "./wire-text.ts";

/** One thing of a request that hash balancers go by; text is as it goes over the wire. */
export type HashPolicy = HashSource & {
  /** With a hash by now the policies that follow are not looked at. */
  readonly isTerminal: boolean;
};

type HashSource =
  /** All values of a header, in whichever order they came. */
  | {
      readonly kind: "header";
      readonly collect: (request: MatchRequest, values: string[]) => void;
      /** Changes each value before it is hashed. */
      readonly rewrite: ((value: string) => string) | undefined;
    }
  | {
      readonly kind: "cookie";
      readonly name: string;
      /** The `set-cookie` for clients that do not bring it; `undefined` when they get none. */
      readonly generate: ((value: string) => string) | undefined;
    }
  | { readonly kind: "source_ip" }
  | { readonly kind: "query"; readonly find: (request: MatchRequest) => string | undefined }
  | { readonly kind: "filter_state"; readonly key: string };

const HANDLED = [
  "header",
  "cookie",
  "connection_properties",
  "query_parameter",
  "filter_state",
  "terminal",
];

/** Decodes what a route says of hashes. */
export function decodeHashPolicies(
  messages: readonly RouteAction_HashPolicy[],
  path: string,
  issues: Issue[],
): readonly HashPolicy[] {
  return messages.flatMap((message, index) => {
    const at = joinPath(path, `hash_policy[${index}]`);
    issues.push(...refuseFields(RouteAction_HashPolicySchema, message, HANDLED, at));
    const source = decodeSource(message, at, issues);
    return source === undefined ? [] : [{ ...source, isTerminal: message.terminal }];
  });
}

function decodeSource(
  { policySpecifier: specifier }: RouteAction_HashPolicy,
  path: string,
  issues: Issue[],
): HashSource | undefined {
  switch (specifier.case) {
    case "header": {
      const { headerName, regexRewrite } = specifier.value;
      const at = joinPath(path, "header");
      const fields = ["header_name", "regex_rewrite"];
      const schema = RouteAction_HashPolicy_HeaderSchema;
      issues.push(...refuseFields(schema, specifier.value, fields, at));
      const rewrite =
        regexRewrite && compileRegexRewrite(regexRewrite, joinPath(at, "regex_rewrite"), issues);
      return { kind: "header", collect: collectHeader(headerName), rewrite };
    }
    case "cookie":
      return decodeCookie(specifier.value, joinPath(path, "cookie"), issues);
    case "connectionProperties": {
      const schema = RouteAction_HashPolicy_ConnectionPropertiesSchema;
      const at = joinPath(path, "connection_properties");
      issues.push(...refuseFields(schema, specifier.value, ["source_ip"], at));
      return specifier.value.sourceIp ? { kind: "source_ip" } : undefined;
    }
    case "queryParameter": {
      const schema = RouteAction_HashPolicy_QueryParameterSchema;
      const at = joinPath(path, "query_parameter");
      issues.push(...refuseFields(schema, specifier.value, ["name"], at));
      const name = wireText(specifier.value.name);
      return { kind: "query", find: (request) => findParameter(request.path, name) };
    }
    case "filterState": {
      const schema = RouteAction_HashPolicy_FilterStateSchema;
      const at = joinPath(path, "filter_state");
      issues.push(...refuseFields(schema, specifier.value, ["key"], at));
      return { kind: "filter_state", key: specifier.value.key };
    }
    case undefined:
      issues.push({ path, message: "names nothing to hash" });
      return undefined;
  }
}

function collectHeader(headerName: string): (request: MatchRequest, values: string[]) => void {
  const name = wireText(headerName).toLowerCase();
  const read = readPseudoHeader(name);
  if (read !== undefined) {
    return (request, values) => {
      const value = read(request);
      if (value !== undefined) values.push(value);
    };
  }
  return (request, values) => {
    request.headers.some(name, (value) => {
      values.push(value);
      return false;
    });
  };
}

/** What would end the header line that a cookie is written in. */
const LINE_END = /[\0\r\n]/;

function decodeCookie(
  message: RouteAction_HashPolicy_Cookie,
  path: string,
  issues: Issue[],
): HashSource {
  const fields = ["name", "ttl", "path", "attributes"];
  issues.push(...refuseFields(RouteAction_HashPolicy_CookieSchema, message, fields, path));
  for (const [index, attribute] of message.attributes.entries()) {
    const schema = RouteAction_HashPolicy_CookieAttributeSchema;
    const at = joinPath(path, `attributes[${index}]`);
    issues.push(...refuseFields(schema, attribute, ["name", "value"], at));
  }
  const name = wireText(message.name);
  for (const field of ["name", "path"] as const) {
    if (!LINE_END.test(message[field])) continue;
    issues.push({ path: joinPath(path, field), message: "must not have the end of a line in it" });
  }
  if (message.ttl === undefined) return { kind: "cookie", name, generate: undefined };
  const { seconds } = message.ttl;
  const rest = [
    // Without an age it lasts as long as the client's session.
    ...(seconds === 0n ? [] : [`Max-Age=${seconds}`]),
    ...(message.path === "" ? [] : [`Path=${message.path}`]),
    ...message.attributes.map((one) => (one.value === "" ? one.name : `${one.name}=${one.value}`)),
    "HttpOnly",
  ].map((part) => `; ${wireText(part)}`);
  const end = rest.join("");
  return { kind: "cookie", name, generate: (value) => `${name}="${value}"${end}` };
}
