import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import {
  type OpenTelemetryAccessLogConfig,
  OpenTelemetryAccessLogConfigSchema,
} from "../../api/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.js";
import type { AnyValue, KeyValue } from "../../api/gen/opentelemetry/proto/common/v1/common_pb.js";
import type { Issue } from "../../base/issue.ts";
import { VERSION } from "../../base/version.ts";
import { decodeCustomTags } from "../../match/custom-tag.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { NodeInfo, StreamInfo } from "../../match/stream-info.ts";
import { compileFormat, type FormatExtras } from "../../match/substitution.ts";
import { wireText } from "../../match/wire-text.ts";
import type { OtelSink } from "../access-log/access-log.ts";
import {
  encodeRecord,
  encodeResource,
  type OtelAttribute,
  type OtelValue,
  textAttribute,
  textValue,
} from "../access-log/otel-record.ts";
import type { Collector } from "../tracing/cluster-sender.ts";
import { type Extension, extension } from "./extension.ts";
import { decodeFormatters } from "./formatters.ts";
import { checkCommonFields } from "./grpc-access-log.ts";
import { decodeOtlpGrpc, decodeOtlpHttp, detectResource } from "./otlp-collector.ts";

/** Envoy's own. */
const FLUSH_MS = 1000;
const BUFFER_BYTES = 16_384;
const EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

const FIELDS = [
  "common_config",
  "http_service",
  "grpc_service",
  "disable_builtin_labels",
  "resource_attributes",
  "resource_detectors",
  "body",
  "attributes",
  "stat_prefix",
  "formatters",
  "log_name",
  "buffer_flush_interval",
  "buffer_size_bytes",
  "filter_state_objects_to_log",
  "custom_tags",
];

/** Logs whose records go to a collector of OpenTelemetry's. */
export const OTEL_ACCESS_LOG: Extension<OtelSink> = extension(
  OpenTelemetryAccessLogConfigSchema,
  (message, path, issues) => {
    issues.push(...refuseFields(OpenTelemetryAccessLogConfigSchema, message, FIELDS, path));
    const { commonConfig: common } = message;
    if (common !== undefined) {
      issues.push(...checkCommonFields(common, joinPath(path, "common_config")));
    }
    const collector = decodeCollector(message, path, issues);
    const extras = decodeFormatters(message.formatters, path, issues);
    const compile: ValueCompiler = {
      text: (text, at) => compileText(text, { extras, path: at, issues }),
      refuse: (at) => {
        const what =
          "Only string values, nested key value lists and array values are supported in " +
          "OpenTelemetry access log format.";
        issues.push({ path: at, message: what });
      },
    };
    const format = {
      body: message.body && compileValue(message.body, joinPath(path, "body"), compile),
      attributes: compileAttributes(
        message.attributes?.values ?? [],
        joinPath(path, "attributes"),
        compile,
      ),
      stateKeys: [
        ...message.filterStateObjectsToLog,
        ...(common?.filterStateObjectsToLog ?? []),
      ].map(wireText),
      tags: decodeCustomTags(message.customTags, path, issues),
    };
    if (collector === undefined) return undefined;
    const detected = detectResource(message.resourceDetectors, path, issues);
    return {
      kind: "otel",
      digest: createHash("sha256")
        .update(toBinary(OpenTelemetryAccessLogConfigSchema, message))
        .digest("base64"),
      collector,
      statPrefix: message.statPrefix,
      flushMs: durationMs(message.bufferFlushInterval ?? common?.bufferFlushInterval) ?? FLUSH_MS,
      bufferBytesMax: message.bufferSizeBytes ?? common?.bufferSizeBytes ?? BUFFER_BYTES,
      resource: (node) => encodeResource(resourceOf(message, detected, node)),
      encode: (info) => encodeRecord(info, format),
    };
  },
);

function decodeCollector(
  { commonConfig: common, grpcService, httpService }: OpenTelemetryAccessLogConfig,
  path: string,
  issues: Issue[],
): Collector | undefined {
  const given = [common, grpcService, httpService].filter((one) => one !== undefined);
  if (given.length !== 1) {
    const what = "exactly one of common_config, grpc_service and http_service says where to send";
    issues.push({ path, message: what });
    return undefined;
  }
  if (httpService !== undefined) {
    const headers = ["user-agent", `OTel-OTLP-Exporter-weft/${VERSION}`];
    return decodeOtlpHttp(httpService, joinPath(path, "http_service"), issues, headers);
  }
  const service = grpcService ?? common?.grpcService;
  const at = joinPath(path, grpcService ? "grpc_service" : "common_config.grpc_service");
  if (service !== undefined) return decodeOtlpGrpc(service, EXPORT, at, issues);
  issues.push({ path: at, message: "is missing" });
  return undefined;
}

/** Of two with one name the last counts, where the first stands. */
function resourceOf(
  { commonConfig: common, ...message }: OpenTelemetryAccessLogConfig,
  detected: readonly (readonly [string, string])[],
  { zone, cluster, id }: NodeInfo,
): readonly OtelAttribute[] {
  const attributes = new Map<string, OtelAttribute>();
  const builtIn = [
    ["log_name", message.logName || common?.logName || ""],
    ["zone_name", zone],
    ["cluster_name", cluster],
    ["node_name", id],
  ] as const;
  if (!message.disableBuiltinLabels) {
    for (const [key, value] of builtIn) attributes.set(key, textAttribute(key, wireText(value)));
  }
  for (const [key, value] of detected) attributes.set(key, textAttribute(key, value));
  for (const attribute of message.resourceAttributes?.values ?? []) {
    attributes.set(wireText(attribute.key), attribute);
  }
  return [...attributes.values()];
}

interface ValueCompiler {
  text(text: string, path: string): (info: StreamInfo) => string;
  refuse(path: string): void;
}

function compileText(
  text: string,
  { extras, path, issues }: { extras: FormatExtras; path: string; issues: Issue[] },
): (info: StreamInfo) => string {
  const compiled = compileFormat(text, "-", extras);
  if (compiled.ok) return compiled.value;
  for (const { message } of compiled.issues) issues.push({ path, message });
  return () => "";
}

/** Every text in a value is a format; lists and maps may stand in one another. */
function compileValue(
  { value }: AnyValue,
  path: string,
  compile: ValueCompiler,
): (info: StreamInfo) => OtelValue {
  switch (value.case) {
    case "stringValue": {
      const write = compile.text(value.value, path);
      return (info) => textValue(write(info));
    }
    case "kvlistValue": {
      const read = compileAttributes(value.value.values, path, compile);
      return (info) => ({ value: { case: "kvlistValue", value: { values: [...read(info)] } } });
    }
    case "arrayValue": {
      const all = value.value.values.map((one, at) => compileValue(one, `${path}[${at}]`, compile));
      return (info) => ({
        value: { case: "arrayValue", value: { values: all.map((read) => read(info)) } },
      });
    }
    case "boolValue":
    case "bytesValue":
    case "doubleValue":
    case "intValue":
    case undefined:
      compile.refuse(path);
      return () => ({});
  }
}

function compileAttributes(
  values: readonly KeyValue[],
  path: string,
  compile: ValueCompiler,
): (info: StreamInfo) => readonly OtelAttribute[] {
  const all = values.map(({ key, value }) => ({
    key,
    read: value && compileValue(value, joinPath(path, key), compile),
  }));
  return (info) => all.map(({ key, read }) => ({ key, ...(read && { value: read(info) }) }));
}
