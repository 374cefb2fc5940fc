import { type SubstitutionFormatString } from "../../api/gen/envoy/config/core/v3/substitution_format_string_pb.js";
import {
  type LocalReplyConfig as LocalReplyConfigMessage,
  LocalReplyConfigSchema,
  type ResponseMapper,
  ResponseMapperSchema,
} from "../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { Issue } from "../../base/issue.ts";
import { decodeAdditions } from "../../match/header-mutations.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";
import type { BodyFormat, LocalReplyConfig, ReplyMapper } from "../http/local-reply-config.ts";
import { decodeFormat } from "./access-log.ts";
import { loadDataSource } from "./data-source.ts";
import { decodeLogFilter } from "./log-filter.ts";

/** Decodes what becomes of a connection manager's local replies. */
export function decodeLocalReplies(
  message: LocalReplyConfigMessage,
  path: string,
  issues: Issue[],
): LocalReplyConfig {
  issues.push(...refuseFields(LocalReplyConfigSchema, message, ["mappers", "body_format"], path));
  return {
    mappers: message.mappers.map((mapper, at) =>
      decodeMapper(mapper, joinPath(path, `mappers[${at}]`), issues),
    ),
    format: decodeBodyFormat(message.bodyFormat, joinPath(path, "body_format"), issues),
  };
}

const FIELDS = ["filter", "status_code", "body", "body_format_override", "headers_to_add"];

function decodeMapper(message: ResponseMapper, path: string, issues: Issue[]): ReplyMapper {
  issues.push(...refuseFields(ResponseMapperSchema, message, FIELDS, path));
  const { filter, bodyFormatOverride } = message;
  const add = decodeAdditions(message.headersToAdd, joinPath(path, "headers_to_add"), issues);
  const body = loadDataSource(message.body, joinPath(path, "body"), issues);
  return {
    filter: filter && decodeLogFilter(filter, joinPath(path, "filter"), issues),
    status: message.statusCode,
    body: body?.bytes.toString("latin1"),
    headers: add.length === 0 ? [] : [{ add, remove: [] }],
    format: decodeBodyFormat(bodyFormatOverride, joinPath(path, "body_format_override"), issues),
  };
}

function decodeBodyFormat(
  message: SubstitutionFormatString | undefined,
  path: string,
  issues: Issue[],
): BodyFormat | undefined {
  if (message === undefined) return undefined;
  const { contentType, format } = message;
  const own = format.case === "jsonFormat" ? "application/json" : "text/plain";
  return {
    format: decodeFormat(message, path, issues),
    contentType: wireText(contentType) || own,
  };
}
