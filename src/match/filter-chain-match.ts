import {
  type FilterChainMatch as FilterChainMatchMessage,
  FilterChainMatchSchema,
  FilterChainMatch_ConnectionSourceType as SourceType,
} from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import type { CidrRange } from "../base/cidr.ts";
import type { Issue } from "../base/issue.ts";
import { decodeCidr } from "./cidr-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { lowerAscii } from "./wire-text.ts";

/** What a filter chain asks of a connection; an empty list asks nothing. */
export interface FilterChainMatch {
  /** `undefined`: any. */
  readonly destinationPort: number | undefined;
  readonly destinationRanges: readonly CidrRange[];
  /** Lower case; `*.` at the beginning stands for any name that ends like it. */
  readonly serverNames: readonly string[];
  /** `raw_buffer`, `tls`; "" asks nothing. */
  readonly transportProtocol: string;
  readonly applicationProtocols: readonly string[];
  readonly directSourceRanges: readonly CidrRange[];
  readonly sourceType: "any" | "local" | "external";
  readonly sourceRanges: readonly CidrRange[];
  readonly sourcePorts: readonly number[];
}

const HANDLED = [
  "destination_port",
  "prefix_ranges",
  "server_names",
  "transport_protocol",
  "application_protocols",
  "direct_source_prefix_ranges",
  "source_type",
  "source_prefix_ranges",
  "source_ports",
];

const SOURCE_TYPES: Readonly<Record<SourceType, FilterChainMatch["sourceType"]>> = {
  [SourceType.ANY]: "any",
  [SourceType.SAME_IP_OR_LOOPBACK]: "local",
  [SourceType.EXTERNAL]: "external",
};

/** A chain that asks nothing. */
const ANY_CONNECTION: FilterChainMatch = {
  destinationPort: undefined,
  destinationRanges: [],
  serverNames: [],
  transportProtocol: "",
  applicationProtocols: [],
  directSourceRanges: [],
  sourceType: "any",
  sourceRanges: [],
  sourcePorts: [],
};

/** Decodes what a filter chain asks. */
export function decodeFilterChainMatch(
  message: FilterChainMatchMessage | undefined,
  path: string,
  issues: Issue[],
): FilterChainMatch {
  if (message === undefined) return ANY_CONNECTION;
  issues.push(...refuseFields(FilterChainMatchSchema, message, HANDLED, path));
  const ranges = (
    name: string,
    list: FilterChainMatchMessage["prefixRanges"],
  ): readonly CidrRange[] =>
    list.flatMap((range, at) => decodeCidr(range, joinPath(path, `${name}[${at}]`), issues) ?? []);
  for (const name of message.serverNames) {
    if (!name.includes("*") || name.startsWith("*.")) continue;
    const what = 'partial wildcards are not supported in "server_names"';
    issues.push({ path: joinPath(path, "server_names"), message: what });
  }
  return {
    destinationPort: message.destinationPort,
    destinationRanges: ranges("prefix_ranges", message.prefixRanges),
    serverNames: message.serverNames.map(lowerAscii),
    transportProtocol: message.transportProtocol,
    applicationProtocols: message.applicationProtocols,
    directSourceRanges: ranges("direct_source_prefix_ranges", message.directSourcePrefixRanges),
    sourceType: SOURCE_TYPES[message.sourceType] ?? "any",
    sourceRanges: ranges("source_prefix_ranges", message.sourcePrefixRanges),
    sourcePorts: message.sourcePorts,
  };
}
