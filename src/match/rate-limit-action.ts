import {
  type RateLimit_Action,
  type RateLimit_Action_HeaderValueMatch,
  type RateLimit_Action_MetaData,
  type RateLimit_Action_QueryParameterValueMatch,
  type RateLimit_Action_RemoteAddressMatch,
  RateLimit_Action_MetaData_Source as Source,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { AddressMatcherSchema } from "../api/gen/envoy/type/matcher/v3/address_pb.js";
import type { MetadataKey } from "../api/gen/envoy/type/metadata/v3/metadata_pb.js";
import { type CidrRange, compileCidrTest, formatBlock, parseCidr } from "../base/cidr.ts";
import type { Issue } from "../base/issue.ts";
import { compileHeaderMatch } from "./header-match.ts";
import type { MetadataValue } from "./match-request.ts";
import { valueAt } from "./metadata-match.ts";
import { compileQueryMatch, findDecodedParameter } from "./query-match.ts";
import {
  expectAll,
  LEFT_OUT,
  type MetadataSource,
  type RateLimitAction,
  type RateLimitSource,
} from "./rate-limit.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { compileFormat } from "./substitution.ts";
import { wireText } from "./wire-text.ts";

/** Where an action stands, and where its mistakes go. */
interface ActionPlace {
  readonly path: string;
  readonly issues: Issue[];
}

/** Compiles one action; `undefined` for one that is refused. */
export function compileAction(
  { actionSpecifier: specifier }: RateLimit_Action,
  path: string,
  issues: Issue[],
): RateLimitAction | undefined {
  const place = { path, issues };
  switch (specifier.case) {
    case "sourceCluster":
      return { key: "source_cluster", read: ({ localCluster }) => wireText(localCluster) };
    case "destinationCluster":
      return { key: "destination_cluster", read: ({ targetCluster }) => targetCluster };
    case "requestHeaders": {
      const { headerName, descriptorKey, skipIfAbsent } = specifier.value;
      const name = wireText(headerName).toLowerCase();
      const absent = skipIfAbsent ? LEFT_OUT : undefined;
      return { key: wireText(descriptorKey), read: (source) => source.header(name) ?? absent };
    }
    case "queryParameters": {
      const { queryParameterName, descriptorKey, skipIfAbsent } = specifier.value;
      const name = wireText(queryParameterName);
      const absent = skipIfAbsent ? LEFT_OUT : undefined;
      const read: RateLimitAction["read"] = ({ info }) =>
        findDecodedParameter(info.path, name) ?? absent;
      return { key: wireText(descriptorKey), read };
    }
    case "remoteAddress":
      return { key: "remote_address", read: ({ info }) => info.remote.address || undefined };
    case "maskedRemoteAddress": {
      const { v4PrefixMaskLen: v4 = 32, v6PrefixMaskLen: v6 = 128 } = specifier.value;
      return {
        key: "masked_remote_address",
        read: ({ info }) => mask(info.remote.address, v4, v6),
      };
    }
    case "genericKey": {
      const value = wireText(specifier.value.descriptorValue);
      return { key: wireText(specifier.value.descriptorKey) || "generic_key", read: () => value };
    }
    case "headerValueMatch":
      return compileHeaderValueMatch(specifier.value, place);
    case "queryParameterValueMatch":
      return compileQueryValueMatch(specifier.value, place);
    case "remoteAddressMatch":
      return compileRemoteAddressMatch(specifier.value, place);
    case "metadata":
      return compileMetadata(specifier.value);
    case "dynamicMetadata": {
      const field = "envoy.config.route.v3.RateLimit.Action.dynamic_metadata";
      const message = `Using deprecated option '${field}' from file route_components.proto: metadata takes its place`;
      issues.push({ path: joinPath(path, "dynamic_metadata"), message });
      return undefined;
    }
    // Refused by name with the other fields.
    case "extension":
      return undefined;
    case undefined:
      issues.push({ path, message: "has no action" });
      return undefined;
  }
}

function mask(address: string, v4: number, v6: number): string | undefined {
  const block = parseCidr(address, address.includes(":") ? v6 : v4);
  return block && formatBlock(block);
}

/**
 * A value that is written down counts as it stands there: its command operators, and with them
 * `default_value`, are behind a runtime flag of Envoy's that nobody has set.
 */
function compileHeaderValueMatch(
  message: RateLimit_Action_HeaderValueMatch,
  { path, issues }: ActionPlace,
): RateLimitAction {
  const at = joinPath(path, "header_value_match");
  const criteria = message.headers.map((header, index) =>
    compileHeaderMatch(header, joinPath(at, `headers[${index}]`), issues),
  );
  const isMet = expectAll(criteria, message.expectMatch ?? true);
  return whenMet(wireText(message.descriptorKey) || "header_match", message.descriptorValue, isMet);
}

function compileQueryValueMatch(
  message: RateLimit_Action_QueryParameterValueMatch,
  { path, issues }: ActionPlace,
): RateLimitAction {
  const at = joinPath(path, "query_parameter_value_match");
  const criteria = message.queryParameters.map((matcher, index) => {
    const matcherPath = joinPath(at, `query_parameters[${index}]`);
    return compileQueryMatch(matcher, matcherPath, issues, findDecodedParameter);
  });
  const isMet = expectAll(criteria, message.expectMatch ?? true);
  return whenMet(wireText(message.descriptorKey) || "query_match", message.descriptorValue, isMet);
}

function whenMet(
  key: string,
  given: string,
  isMet: (source: RateLimitSource) => boolean,
): RateLimitAction {
  const value = wireText(given);
  return { key, read: (source) => (isMet(source) ? value : undefined) };
}

/** Of this action alone the value is a format. */
function compileRemoteAddressMatch(
  message: RateLimit_Action_RemoteAddressMatch,
  { path, issues }: ActionPlace,
): RateLimitAction {
  const at = joinPath(path, "remote_address_match");
  const value = compileFormat(message.descriptorValue, "");
  if (!value.ok) {
    const valuePath = joinPath(at, "descriptor_value");
    issues.push(...value.issues.map((issue) => ({ ...issue, path: valuePath })));
  }
  const isMet = compileAddressTest(message.addressMatcher, joinPath(at, "address_matcher"), issues);
  const fallback = wireText(message.defaultValue) || undefined;
  return {
    key: wireText(message.descriptorKey) || "remote_address_match",
    read: ({ info }) => {
      if (!value.ok || !isMet(info.remote.address)) return undefined;
      return value.value(info) || fallback;
    },
  };
}

function compileAddressTest(
  message: RateLimit_Action_RemoteAddressMatch["addressMatcher"],
  path: string,
  issues: Issue[],
): (address: string) => boolean {
  if (message === undefined) return () => false;
  const fields = ["ranges", "invert_match"];
  issues.push(...refuseFields(AddressMatcherSchema, message, fields, path));
  const ranges = message.ranges.flatMap(({ addressPrefix, prefixLen = 0 }, at): CidrRange[] => {
    const range = parseCidr(addressPrefix, prefixLen);
    if (range !== undefined) return [range];
    const what = `malformed IP address: ${addressPrefix}`;
    issues.push({ path: `${path}.ranges[${at}]`, message: what });
    return [];
  });
  const isIn = compileCidrTest(ranges);
  const { invertMatch } = message;
  return (address) => isIn(address) !== invertMatch;
}

const SOURCES: Readonly<Record<Source, MetadataSource | undefined>> = {
  [Source.DYNAMIC]: "dynamic",
  [Source.ROUTE_ENTRY]: "route",
  [Source.CLUSTER_ENTRY]: "cluster",
  // Of a host, and none has been chosen yet when descriptors are made: there is never any.
  [Source.CLUSTER_LOCALITY_ENTRY]: undefined,
};

/** What is no text, or has no letters, counts as absent. */
function compileMetadata(message: RateLimit_Action_MetaData): RateLimitAction {
  const { metadataKey, defaultValue, skipIfAbsent } = message;
  const kind = SOURCES[message.source];
  const read = kind && metadataKey && readMetadata(kind, metadataKey);
  const absent = wireText(defaultValue) || (skipIfAbsent ? LEFT_OUT : undefined);
  return {
    key: wireText(message.descriptorKey),
    read: (source) => {
      const value = read?.(source);
      return typeof value === "string" && value !== "" ? wireText(value) : absent;
    },
  };
}

/** Reads what stands under a key of metadata. */
export function readMetadata(
  kind: MetadataSource,
  key: MetadataKey,
): (source: RateLimitSource) => MetadataValue | undefined {
  const namespace = key.key;
  const path = key.path.map(({ segment }) => segment.value ?? "");
  return (source) => valueAt(source.metadata(kind, namespace), path);
}
