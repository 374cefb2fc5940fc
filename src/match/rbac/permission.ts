import type { TypedExtensionConfig } from "../../api/gen/envoy/config/core/v3/extension_pb.js";
import {
  type Permission,
  type Permission_Set,
  Permission_SetSchema,
  PermissionSchema,
} from "../../api/gen/envoy/config/rbac/v3/rbac_pb.js";
import { UriTemplateMatchConfigSchema } from "../../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js";
import { compileCidrTest } from "../../base/cidr.ts";
import type { Issue } from "../../base/issue.ts";
import { decodeCidr } from "../cidr-match.ts";
import { compileHeaderMatch } from "../header-match.ts";
import { compileMetadataMatch } from "../metadata-match.ts";
import { joinPath, refuseFields } from "../refuse-fields.ts";
import { compileStringMatch } from "../string-match.ts";
import { unpackOf } from "../unpack.ts";
import { compileUriTemplate } from "../uri-template.ts";
import { allOf, compileUrlPath, NEVER, oneOf, pathEnd, type RequestTest } from "./conditions.ts";

const HANDLED = [
  "and_rules",
  "or_rules",
  "any",
  "header",
  "url_path",
  "destination_ip",
  "destination_port",
  "destination_port_range",
  "metadata",
  "not_rule",
  "requested_server_name",
  "uri_template",
];

/** Compiles what a policy lets its principals do. */
export function compilePermission(
  permission: Permission,
  path: string,
  issues: Issue[],
): RequestTest {
  issues.push(...refuseFields(PermissionSchema, permission, HANDLED, path));
  const { rule } = permission;
  switch (rule.case) {
    case "andRules":
      return allOf(compileSet(rule.value, joinPath(path, "and_rules"), issues));
    case "orRules":
      return oneOf(compileSet(rule.value, joinPath(path, "or_rules"), issues));
    case "notRule": {
      const test = compilePermission(rule.value, joinPath(path, "not_rule"), issues);
      return (request) => !test(request);
    }
    case "any":
      return () => true;
    case "header":
      return compileHeaderMatch(rule.value, joinPath(path, "header"), issues).matches;
    case "urlPath":
      return compileUrlPath(rule.value, joinPath(path, "url_path"), issues);
    case "destinationIp": {
      const range = decodeCidr(rule.value, joinPath(path, "destination_ip"), issues);
      const isIn = compileCidrTest(range === undefined ? [] : [range]);
      return ({ connection }) => isIn(connection.local.address);
    }
    case "destinationPort": {
      const port = rule.value;
      return ({ connection }) => connection.local.port === port;
    }
    case "destinationPortRange": {
      const { start, end } = rule.value;
      checkPorts(start, end, joinPath(path, "destination_port_range"), issues);
      return ({ connection: { local } }) => local.port >= start && local.port < end;
    }
    case "metadata":
      return compileMetadataMatch(rule.value, joinPath(path, "metadata"), issues).matches;
    case "requestedServerName": {
      const at = joinPath(path, "requested_server_name");
      const test = compileStringMatch(rule.value, at, issues);
      return ({ connection }) => test(connection.serverName);
    }
    case "uriTemplate":
      return compileTemplate(rule.value, joinPath(path, "uri_template"), issues);
    // Refused by name with the fields.
    case "matcher":
      return NEVER;
    case undefined:
      issues.push({ path, message: "has no rule" });
      return NEVER;
  }
}

function compileSet(set: Permission_Set, path: string, issues: Issue[]): RequestTest[] {
  issues.push(...refuseFields(Permission_SetSchema, set, ["rules"], path));
  if (set.rules.length === 0) issues.push({ path, message: "has no rules" });
  return set.rules.map((rule, at) => compilePermission(rule, `${path}.rules[${at}]`, issues));
}

const PORT_END_MAX = 65_536;

function checkPorts(start: number, end: number, path: string, issues: Issue[]): void {
  for (const [name, port] of Object.entries({ start, end })) {
    if (port >= 0 && port <= PORT_END_MAX) continue;
    issues.push({ path, message: `range ${name} ${port} is out of bounds` });
  }
  if (start < end) return;
  const message = `range start ${start} cannot be greater or equal than range end ${end}`;
  issues.push({ path, message });
}

function compileTemplate(
  { name, typedConfig: any }: TypedExtensionConfig,
  path: string,
  issues: Issue[],
): RequestTest {
  const config = unpackOf(UriTemplateMatchConfigSchema, { name, any, path }, issues);
  if (config === undefined) return NEVER;
  const compiled = compileUriTemplate(config.pathTemplate);
  if (compiled.ok) {
    const { test } = compiled.value;
    return ({ path: asked }) => asked !== "" && test(asked.substring(0, pathEnd(asked)));
  }
  for (const { message } of compiled.issues) issues.push({ path, message });
  return NEVER;
}
