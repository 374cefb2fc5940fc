import {
  type AccessLogFilter,
  type ComparisonFilter,
  LogTypeFilterSchema,
  type MetadataFilter,
  MetadataFilterSchema,
  ComparisonFilter_Op as Op,
  type RuntimeFilter,
  RuntimeFilterSchema,
} from "../../api/gen/envoy/config/accesslog/v3/accesslog_pb.js";
import { AccessLogType } from "../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js";
import { ExpressionFilterSchema } from "../../api/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js";
import type { Issue } from "../../base/issue.ts";
import { compileCel } from "../../match/cel.ts";
import { readGrpcStatus } from "../../match/grpc-status.ts";
import { compileHeaderMatch } from "../../match/header-match.ts";
import { compileMetadataMatch } from "../../match/metadata-match.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { shareOf } from "../../match/runtime-reader.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import type { LogFilter } from "../access-log/access-log.ts";
import { decodeCelConfig } from "./cel-config.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";

/** Compiles which streams a log is about. */
export function decodeLogFilter(
  message: AccessLogFilter,
  path: string,
  issues: Issue[],
): LogFilter {
  const { case: kind, value } = message.filterSpecifier;
  switch (kind) {
    case "statusCodeFilter":
      return compare(value.comparison, (info) => info.status);
    case "durationFilter":
      return compare(value.comparison, durationMs);
    case "notHealthCheckFilter":
      return (info) => info.isHealthCheck !== true;
    case "runtimeFilter":
      return decodeShare(value, joinPath(path, "runtime_filter"), issues);
    case "andFilter": {
      const filters = decodeAll(value.filters, joinPath(path, "and_filter"), issues);
      return (info) => filters.every((filter) => filter(info));
    }
    case "orFilter": {
      const filters = decodeAll(value.filters, joinPath(path, "or_filter"), issues);
      return (info) => filters.some((filter) => filter(info));
    }
    case "headerFilter": {
      if (value.header === undefined) return () => false;
      const at = joinPath(path, "header_filter.header");
      return compileHeaderMatch(value.header, at, issues).matches;
    }
    case "responseFlagFilter":
      return flagFilter(new Set(value.flags));
    case "metadataFilter":
      return decodeMetadata(value, joinPath(path, "metadata_filter"), issues);
    case "logTypeFilter": {
      issues.push(...refuseFields(LogTypeFilterSchema, value, ["types", "exclude"], path));
      const types = new Set(value.types.map((type) => AccessLogType[type]));
      return (info) => types.has(info.logType) !== value.exclude;
    }
    case "traceableFilter":
      return (info) => info.isTraced === true && info.isHealthCheck !== true;
    case "grpcStatusFilter": {
      const statuses: ReadonlySet<number> = new Set(value.statuses);
      return (info) => statuses.has(readGrpcStatus(info) ?? GRPC_UNKNOWN) !== value.exclude;
    }
    case "extensionFilter": {
      const { name, configType } = value;
      const extensionPath = joinPath(path, "extension_filter");
      const named = { name, any: configType.value, path: extensionPath };
      return decodeExtension(EXTENSIONS, named, issues) ?? (() => false);
    }
    case undefined:
      issues.push({ path, message: "names no filter" });
      return () => false;
  }
}

/** What a response without a status of gRPC's counts as. */
const GRPC_UNKNOWN = 2;

const EXTENSIONS: readonly Extension<LogFilter>[] = [
  extension(ExpressionFilterSchema, (message, path, issues) => {
    const fields = ["expression", "cel_config"];
    issues.push(...refuseFields(ExpressionFilterSchema, message, fields, path));
    const extras = decodeCelConfig(message.celConfig, joinPath(path, "cel_config"), issues);
    const compiled = compileCel(message.expression, extras);
    if (compiled.ok) return (info) => compiled.value(info) === true;
    for (const issue of compiled.issues) {
      issues.push({ path: joinPath(path, "expression"), message: issue.message });
    }
    return undefined;
  }),
];

function decodeAll(
  filters: readonly AccessLogFilter[],
  path: string,
  issues: Issue[],
): readonly LogFilter[] {
  return filters.map((filter, at) =>
    decodeLogFilter(filter, joinPath(path, `filters[${at}]`), issues),
  );
}

/** Of what is not over yet: until now. */
function durationMs({ durationMs: whole, nowMs, startMs }: StreamInfo): number {
  return Math.floor(whole < 0 ? nowMs - startMs : whole);
}

function compare(
  comparison: ComparisonFilter | undefined,
  read: (info: StreamInfo) => number,
): LogFilter {
  const { defaultValue = 0, runtimeKey = "" } = comparison?.value ?? {};
  const limit = (info: StreamInfo): number =>
    runtimeKey === "" ? defaultValue : (info.runtime.integer(runtimeKey) ?? defaultValue);
  if (comparison?.op === Op.GE) return (info) => read(info) >= limit(info);
  if (comparison?.op === Op.LE) return (info) => read(info) <= limit(info);
  if (comparison?.op === Op.NE) return (info) => read(info) !== limit(info);
  return (info) => read(info) === limit(info);
}

/** Any flag passes when none is named. */
function flagFilter(wanted: ReadonlySet<string>): LogFilter {
  if (wanted.size === 0) return (info) => info.flag !== "";
  return (info) => info.flag !== "" && info.flag.split(",").some((flag) => wanted.has(flag));
}

/**
 * A share of the requests, the same ones in every log and proxy: by their `x-request-id`. By chance
 * where there is none, and where that is asked for.
 */
function decodeShare(message: RuntimeFilter, path: string, issues: Issue[]): LogFilter {
  const fields = ["runtime_key", "percent_sampled", "use_independent_randomness"];
  issues.push(...refuseFields(RuntimeFilterSchema, message, fields, path));
  const { percentSampled, runtimeKey, useIndependentRandomness: isByChance } = message;
  const share = percentSampled === undefined ? 0 : shareOf(percentSampled);
  return (info) => {
    const wanted = info.runtime.share(runtimeKey) ?? share;
    if (wanted >= 1) return true;
    const known = isByChance ? undefined : info.streamId;
    const id = known !== undefined && DIGITS_FIRST.test(known) ? known : info.uniqueId;
    return (Number.parseInt(id.substring(0, 8), 16) % 1_000_000) / 1_000_000 < wanted;
  };
}

const DIGITS_FIRST = /^[\da-f]{8}/i;

function decodeMetadata(message: MetadataFilter, path: string, issues: Issue[]): LogFilter {
  const fields = ["matcher", "match_if_key_not_found"];
  issues.push(...refuseFields(MetadataFilterSchema, message, fields, path));
  const { matcher, matchIfKeyNotFound = true } = message;
  if (matcher === undefined) return () => matchIfKeyNotFound;
  const { matches } = compileMetadataMatch(matcher, joinPath(path, "matcher"), issues);
  return (info) =>
    info.dynamicMetadata(matcher.filter) === undefined ? matchIfKeyNotFound : matches(info);
}
