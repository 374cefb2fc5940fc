import { ApiVersion } from "../../api/gen/envoy/config/core/v3/config_source_pb.js";
import {
  type GrpcService,
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
} from "../../api/gen/envoy/config/core/v3/grpc_service_pb.js";
import {
  type CommonGrpcAccessLogConfig,
  CommonGrpcAccessLogConfigSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from "../../api/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.js";
import type { Issue } from "../../base/issue.ts";
import { decodeCustomTags } from "../../match/custom-tag.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { StreamInfo } from "../../match/stream-info.ts";
import { wireText } from "../../match/wire-text.ts";
import type { GrpcSink } from "../access-log/access-log.ts";
import { type CommonExtras, encodeHttpEntry, encodeTcpEntry } from "../access-log/grpc-entry.ts";
import { type Extension, extension } from "./extension.ts";

/** Envoy's own. */
const FLUSH_MS = 1000;
const BUFFER_BYTES = 16_384;

type EncodeEntry = (info: StreamInfo, extras: CommonExtras) => Uint8Array;

const HTTP_FIELDS = [
  "common_config",
  "additional_request_headers_to_log",
  "additional_response_headers_to_log",
  "additional_response_trailers_to_log",
];

/** Logs whose entries go to a service by gRPC. */
export const GRPC_ACCESS_LOGS: readonly Extension<GrpcSink>[] = [
  extension(HttpGrpcAccessLogConfigSchema, (message, path, issues) => {
    issues.push(...refuseFields(HttpGrpcAccessLogConfigSchema, message, HTTP_FIELDS, path));
    const lower = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase());
    const headers = {
      request: lower(message.additionalRequestHeadersToLog),
      response: lower(message.additionalResponseHeadersToLog),
      trailers: lower(message.additionalResponseTrailersToLog),
    };
    const encode: EncodeEntry = (info, extras) => encodeHttpEntry(info, headers, extras);
    return decodeCommon(message.commonConfig, { path, isTcp: false, encode }, issues);
  }),
  extension(TcpGrpcAccessLogConfigSchema, (message, path, issues) => {
    issues.push(...refuseFields(TcpGrpcAccessLogConfigSchema, message, ["common_config"], path));
    return decodeCommon(
      message.commonConfig,
      { path, isTcp: true, encode: encodeTcpEntry },
      issues,
    );
  }),
];

function decodeCommon(
  message: CommonGrpcAccessLogConfig | undefined,
  { path, isTcp, encode }: { path: string; isTcp: boolean; encode: EncodeEntry },
  issues: Issue[],
): GrpcSink | undefined {
  const at = joinPath(path, "common_config");
  if (message === undefined) {
    issues.push({ path: at, message: "is missing" });
    return undefined;
  }
  issues.push(...checkCommonFields(message, at, ["custom_tags"]));
  const service = decodeGrpcService(message.grpcService, joinPath(at, "grpc_service"), issues);
  if (service === undefined) return undefined;
  const extras: CommonExtras = {
    stateKeys: message.filterStateObjectsToLog.map(wireText),
    tags: decodeCustomTags(message.customTags, at, issues),
  };
  return {
    kind: "grpc",
    logName: message.logName,
    ...service,
    isTcp,
    flushMs: durationMs(message.bufferFlushInterval) ?? FLUSH_MS,
    bufferBytesMax: message.bufferSizeBytes ?? BUFFER_BYTES,
    encode: (info) => encode(info, extras),
  };
}

/** What cannot be done of what all logs over gRPC have in common; `more` are fields that are taken too. */
export function checkCommonFields(
  message: CommonGrpcAccessLogConfig,
  path: string,
  more: readonly string[] = [],
): Issue[] {
  const fields = [
    "log_name",
    "grpc_service",
    "transport_api_version",
    "buffer_flush_interval",
    "buffer_size_bytes",
    "filter_state_objects_to_log",
    ...more,
  ];
  const issues = [...refuseFields(CommonGrpcAccessLogConfigSchema, message, fields, path)];
  if (message.transportApiVersion === ApiVersion.V2) {
    issues.push({ path: joinPath(path, "transport_api_version"), message: "V2 is not supported" });
  }
  return issues;
}

/** The cluster that a service is asked through, and its name there. */
function decodeGrpcService(
  service: GrpcService | undefined,
  path: string,
  issues: Issue[],
): Pick<GrpcSink, "cluster" | "authority"> | undefined {
  if (service === undefined) {
    issues.push({ path, message: "is missing" });
    return undefined;
  }
  // A stream of entries has no end that a time could bound: like Envoy, it is not heeded.
  issues.push(...refuseFields(GrpcServiceSchema, service, ["envoy_grpc", "timeout"], path));
  if (service.targetSpecifier.case !== "envoyGrpc") return undefined;
  const { value: grpc } = service.targetSpecifier;
  const at = joinPath(path, "envoy_grpc");
  issues.push(
    ...refuseFields(GrpcService_EnvoyGrpcSchema, grpc, ["cluster_name", "authority"], at),
  );
  return { cluster: grpc.clusterName, authority: grpc.authority };
}
