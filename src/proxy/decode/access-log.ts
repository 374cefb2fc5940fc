import {
  type AccessLog,
  AccessLogSchema,
} from "../../api/gen/envoy/config/accesslog/v3/accesslog_pb.js";
import {
  type SubstitutionFormatString,
  SubstitutionFormatStringSchema,
} from "../../api/gen/envoy/config/core/v3/substitution_format_string_pb.js";
import { FileAccessLogSchema } from "../../api/gen/envoy/extensions/access_loggers/file/v3/file_pb.js";
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from "../../api/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { compileFormat, DEFAULT_FORMAT, type EntryFormat } from "../access-log/format.ts";
import type { AccessLogConfig } from "../access-log/log-file.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";

/** Every access log that is built. */
const ACCESS_LOGS: readonly Extension<AccessLogConfig>[] = [
  extension(FileAccessLogSchema, (message, path, issues) => {
    const fields = ["path", "format", "log_format"];
    issues.push(...refuseFields(FileAccessLogSchema, message, fields, path));
    if (message.path === "") issues.push({ path: joinPath(path, "path"), message: "is missing" });
    const { accessLogFormat: given } = message;
    const format =
      given.case === "format"
        ? compileFormat(given.value, joinPath(path, "format"), issues)
        : given.case === "logFormat"
          ? decodeFormat(given.value, path, issues)
          : compileFormat(DEFAULT_FORMAT, path, issues);
    return { path: message.path, format };
  }),
  extension(StdoutAccessLogSchema, (message, path, issues) => {
    issues.push(...refuseFields(StdoutAccessLogSchema, message, ["log_format"], path));
    return {
      path: "/dev/stdout",
      format: decodeFormat(message.accessLogFormat.value, path, issues),
    };
  }),
  extension(StderrAccessLogSchema, (message, path, issues) => {
    issues.push(...refuseFields(StderrAccessLogSchema, message, ["log_format"], path));
    return {
      path: "/dev/stderr",
      format: decodeFormat(message.accessLogFormat.value, path, issues),
    };
  }),
];

/** Decodes the access logs of a filter. */
export function decodeAccessLogs(
  logs: readonly AccessLog[],
  path: string,
  issues: Issue[],
): readonly AccessLogConfig[] {
  return logs.flatMap((log, at) => {
    const logPath = joinPath(path, `access_log[${at}]`);
    issues.push(...refuseFields(AccessLogSchema, log, ["name", "typed_config"], logPath));
    const named = { name: log.name, any: log.configType.value, path: logPath };
    const decoded = decodeExtension(ACCESS_LOGS, named, issues);
    return decoded === undefined ? [] : [decoded];
  });
}

function decodeFormat(
  message: SubstitutionFormatString | undefined,
  path: string,
  issues: Issue[],
): EntryFormat {
  const formatPath = joinPath(path, "log_format");
  if (message === undefined) return compileFormat(DEFAULT_FORMAT, formatPath, issues);
  const fields = ["text_format", "text_format_source", "content_type"];
  issues.push(...refuseFields(SubstitutionFormatStringSchema, message, fields, formatPath));
  const { format } = message;
  if (format.case === "textFormat") return compileFormat(format.value, formatPath, issues);
  if (format.case === "textFormatSource") {
    const { specifier } = format.value;
    if (specifier.case === "inlineString") {
      return compileFormat(specifier.value, formatPath, issues);
    }
    const what = `source "${specifier.case ?? "none"}" is not supported yet`;
    issues.push({ path: joinPath(formatPath, "text_format_source"), message: what });
  }
  return () => "";
}
