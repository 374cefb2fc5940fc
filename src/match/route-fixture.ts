import { createRegistry, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { anyUnpack, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { FilterConfigSchema } from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { AllowListedRoutesConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config_pb.js";
import { PreviousRoutesConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config_pb.js";
import { SafeCrossSchemeConfigSchema } from "../api/gen/envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config_pb.js";
import { UriTemplateMatchConfigSchema } from "../api/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.js";
import { UriTemplateRewriteConfigSchema } from "../api/gen/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite_pb.js";
import { OmitCanaryHostsPredicateSchema } from "../api/gen/envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts_pb.js";
import { OmitHostMetadataConfigSchema } from "../api/gen/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config_pb.js";
import { EXTENSION_REGISTRY } from "../api/registry.ts";
import { typeUrlOf } from "../api/type-url.ts";
import { formatIssue } from "../base/issue.ts";
import type { MatchRequest } from "./match-request.ts";
import { plainRequest } from "./plain-request.ts";
import { decodeRouteConfig, type RouteConfig } from "./route-config.ts";
import type { RouteDecodeDeps } from "./route-context.ts";

const FILES: Readonly<Record<string, string>> = { "/etc/body": "from a file" };

/** No files but those, and one filter that routes can talk to. */
const DEPS: RouteDecodeDeps = {
  readFile(path) {
    const text = FILES[path];
    if (text === undefined) throw new Error("no such file");
    return text;
  },
  decodeOverride: ({ any }) =>
    any.typeUrl === typeUrlOf(StringValueSchema) ? anyUnpack(any, StringValueSchema) : "unknown",
};

const REGISTRY = createRegistry(
  ...EXTENSION_REGISTRY,
  AllowListedRoutesConfigSchema,
  FilterConfigSchema,
  OmitCanaryHostsPredicateSchema,
  OmitHostMetadataConfigSchema,
  PreviousRoutesConfigSchema,
  SafeCrossSchemeConfigSchema,
  StringValueSchema,
  UriTemplateMatchConfigSchema,
  UriTemplateRewriteConfigSchema,
);

/** A route table from its JSON form; throws when it is refused. */
export function decodeTable(json: JsonValue): RouteConfig {
  const decoded = decodeRouteConfig(
    fromJson(RouteConfigurationSchema, json, { registry: REGISTRY }),
    DEPS,
  );
  if (!decoded.ok) throw new Error(decoded.issues.map(formatIssue).join("; "));
  return decoded.value;
}

/** Why a route table is refused. */
export function tableIssues(json: JsonValue): string[] {
  const decoded = decodeRouteConfig(
    fromJson(RouteConfigurationSchema, json, { registry: REGISTRY }),
    DEPS,
  );
  return decoded.ok ? [] : decoded.issues.map(formatIssue);
}

/** A table of one virtual host for all names. */
export function tableOf(routes: JsonValue[]): JsonValue {
  return { name: "t", virtual_hosts: [{ name: "v", domains: ["*"], routes }] };
}

/** A request to `a.test` over plain text. */
export function requestFor(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): MatchRequest {
  const entries = Object.entries(headers);
  return plainRequest({ method, path, authority: "a.test", scheme: "http", headers: entries });
}
