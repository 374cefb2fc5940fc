import {
  type Http1ProtocolOptions_HeaderKeyFormat as HeaderKeyFormat,
  Http1ProtocolOptions_HeaderKeyFormatSchema as HeaderKeyFormatSchema,
  type Http1ProtocolOptions,
} from "../../api/gen/envoy/config/core/v3/protocol_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { type NameFormat, properCase } from "../http1/header-case.ts";

/** Decodes how header names are written; `undefined` for lower case. */
export function decodeHeaderCase(
  options: Http1ProtocolOptions | undefined,
  parent: string,
  issues: Issue[],
): NameFormat | undefined {
  const format: HeaderKeyFormat | undefined = options?.headerKeyFormat;
  if (format === undefined) return undefined;
  const path = joinPath(parent, "header_key_format");
  issues.push(...refuseFields(HeaderKeyFormatSchema, format, ["proper_case_words"], path));
  const { headerFormat } = format;
  if (headerFormat.case === undefined) issues.push({ path, message: "has no header_format" });
  return headerFormat.case === "properCaseWords" ? properCase : undefined;
}
