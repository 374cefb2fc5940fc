import { closeSync, openSync } from "node:fs";
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
import type { FormatExtras } from "../../match/substitution.ts";
import { compileFormat } from "../../match/substitution.ts";
import type { AccessLogConfig, EntryFormat } from "../access-log/access-log.ts";
import { compileJsonFormat } from "../access-log/json-format.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";
import { decodeFormatters } from "./formatters.ts";
import { GRPC_ACCESS_LOGS } from "./grpc-access-log.ts";
import { decodeLogFilter } from "./log-filter.ts";
import { OTEL_ACCESS_LOG } from "./otel-access-log.ts";

/** Envoy's format when none is given. */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
  "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% " +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** Every access log that is built. */
const ACCESS_LOGS: readonly Extension<AccessLogConfig["sink"]>[] = [
  ...GRPC_ACCESS_LOGS,
  OTEL_ACCESS_LOG,
  extension(FileAccessLogSchema, (message, path, issues) => {
    const fields = ["path", "format", "json_format", "typed_json_format", "log_format"];
    issues.push(...refuseFields(FileAccessLogSchema, message, fields, path));
    if (message.path === "") issues.push({ path: joinPath(path, "path"), message: "is missing" });
    else checkWritable(message.path, joinPath(path, "path"), issues);
    const { accessLogFormat: given } = message;
    switch (given.case) {
      case "format": {
        const format = compileText(given.value, joinPath(path, "format"), issues);
        return { kind: "file", path: message.path, format };
      }
      case "jsonFormat":
      case "typedJsonFormat": {
        const options = { omitsEmpty: false, path: joinPath(path, "json_format"), issues };
        const format = compileJsonFormat(given.value, options);
        return { kind: "file", path: message.path, format };
      }
      case "logFormat":
      case undefined: {
        const format = decodeLogFormat(given.value, path, issues);
        return { kind: "file", path: message.path, format };
      }
    }
  }),
  extension(StdoutAccessLogSchema, (message, path, issues) => {
    issues.push(...refuseFields(StdoutAccessLogSchema, message, ["log_format"], path));
    const format = decodeLogFormat(message.accessLogFormat.value, path, issues);
    return { kind: "file", path: "/dev/stdout", format };
  }),
  extension(StderrAccessLogSchema, (message, path, issues) => {
    issues.push(...refuseFields(StderrAccessLogSchema, message, ["log_format"], path));
    const format = decodeLogFormat(message.accessLogFormat.value, path, issues);
    return { kind: "file", path: "/dev/stderr", format };
  }),
];

/** Decodes the access logs of a filter or listener, which stand in `field`. */
export function decodeAccessLogs(
  logs: readonly AccessLog[],
  path: string,
  issues: Issue[],
  field = "access_log",
): readonly AccessLogConfig[] {
  return logs.flatMap((log, at) => {
    const logPath = joinPath(path, `${field}[${at}]`);
    const fields = ["name", "filter", "typed_config"];
    issues.push(...refuseFields(AccessLogSchema, log, fields, logPath));
    const named = { name: log.name, any: log.configType.value, path: logPath };
    const sink = decodeExtension(ACCESS_LOGS, named, issues);
    if (sink === undefined) return [];
    if (log.filter === undefined) return [{ sink }];
    const filter = decodeLogFilter(log.filter, joinPath(logPath, "filter"), issues);
    return [{ sink, filter }];
  });
}

/** What Linux calls the ways in which a file is not opened. */
const OPEN_ERRORS: Readonly<Record<string, string>> = {
  EACCES: "Permission denied",
  EISDIR: "Is a directory",
  ENOENT: "No such file or directory",
  ENOTDIR: "Not a directory",
  EROFS: "Read-only file system",
};

/** Like Envoy, a log that cannot be opened is refused, and one that can is there from now on. */
export function checkWritable(file: string, path: string, issues: Issue[]): void {
  if (file === "/dev/stdout" || file === "/dev/stderr") return;
  try {
    closeSync(openSync(file, "a"));
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    const cause = OPEN_ERRORS[code] ?? message;
    issues.push({ path, message: `unable to open file '${file}': ${cause}` });
  }
}

/** What a format has besides Envoy's own operators, and what it writes for what is missing. */
interface TextOptions {
  readonly omitsEmpty?: boolean;
  readonly formatters?: FormatExtras;
}

function compileText(
  text: string,
  path: string,
  issues: Issue[],
  { omitsEmpty = false, formatters }: TextOptions = {},
): EntryFormat {
  const compiled = compileFormat(text, omitsEmpty ? "" : "-", formatters);
  if (compiled.ok) return compiled.value;
  for (const { message } of compiled.issues) issues.push({ path, message });
  return () => "";
}

const FORMAT_FIELDS = [
  "text_format",
  "text_format_source",
  "json_format",
  "omit_empty_values",
  // Of answers whose body is a format; a log has no such thing.
  "content_type",
  "formatters",
  // Keys are sorted in any case.
  "json_format_options",
];

function decodeLogFormat(
  message: SubstitutionFormatString | undefined,
  path: string,
  issues: Issue[],
): EntryFormat {
  const formatPath = joinPath(path, "log_format");
  if (message === undefined) return compileText(DEFAULT_FORMAT, formatPath, issues);
  return decodeFormat(message, formatPath, issues);
}

/** Compiles a text or JSON format; `formatPath` is its own. */
export function decodeFormat(
  message: SubstitutionFormatString,
  formatPath: string,
  issues: Issue[],
): EntryFormat {
  issues.push(...refuseFields(SubstitutionFormatStringSchema, message, FORMAT_FIELDS, formatPath));
  const { format, omitEmptyValues: omitsEmpty } = message;
  const formatters = decodeFormatters(message.formatters, formatPath, issues);
  if (format.case === "jsonFormat") {
    const at = joinPath(formatPath, "json_format");
    return compileJsonFormat(format.value, { omitsEmpty, path: at, issues, formatters });
  }
  let text = "";
  if (format.case === "textFormat") text = format.value;
  else if (format.case === "textFormatSource") {
    const { specifier } = format.value;
    if (specifier.case === "inlineString") text = specifier.value;
    else {
      const what = `source "${specifier.case ?? "none"}" is not supported yet`;
      issues.push({ path: joinPath(formatPath, "text_format_source"), message: what });
    }
  }
  return compileText(text, formatPath, issues, { omitsEmpty, formatters });
}
