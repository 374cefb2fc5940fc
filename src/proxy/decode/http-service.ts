import {
  HeaderValueOptionSchema,
  HeaderValueSchema,
} from "../../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type HttpService,
  HttpServiceSchema,
} from "../../api/gen/envoy/config/core/v3/http_service_pb.js";
import { HttpUriSchema } from "../../api/gen/envoy/config/core/v3/http_uri_pb.js";
import type { Issue } from "../../base/issue.ts";
import { durationMs } from "../../match/duration-ms.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { wireText } from "../../match/wire-text.ts";

/** Something that is asked by HTTP through a cluster. */
interface ServiceTarget {
  readonly clusterName: string;
  /** "" where the URI is a path only. */
  readonly authority: string;
  readonly path: string;
  readonly timeoutMs: number;
  /** name, value, name, value…, names in lower case. */
  readonly headers: readonly string[];
}

/** Decodes whom to ask by HTTP, and with which headers. */
export function decodeHttpService(
  message: HttpService,
  path: string,
  issues: Issue[],
): ServiceTarget {
  const fields = ["http_uri", "request_headers_to_add"];
  issues.push(...refuseFields(HttpServiceSchema, message, fields, path));
  const { httpUri: uri } = message;
  if (uri === undefined) issues.push({ path: joinPath(path, "http_uri"), message: "is missing" });
  else {
    const uriFields = ["uri", "cluster", "timeout"];
    issues.push(...refuseFields(HttpUriSchema, uri, uriFields, joinPath(path, "http_uri")));
  }
  const [, , authority = "", target = ""] =
    /^((?:[^/]*:)?\/\/)?([^/]*)(.*)$/s.exec(uri?.uri ?? "") ?? [];
  return {
    clusterName: uri?.httpUpstreamType.value ?? "",
    authority: wireText(authority),
    path: wireText(target) || "/",
    timeoutMs: durationMs(uri?.timeout) ?? 0,
    headers: message.requestHeadersToAdd.flatMap((option, at) => {
      const optionPath = joinPath(path, `request_headers_to_add[${at}]`);
      const known = ["header", "append", "append_action"];
      issues.push(...refuseFields(HeaderValueOptionSchema, option, known, optionPath));
      return decodeHeader(option.header, joinPath(optionPath, "header"), issues);
    }),
  };
}

/** A header of every request: name and value, or nothing after an issue. */
export function decodeHeader(
  header: HttpService["requestHeadersToAdd"][number]["header"],
  path: string,
  issues: Issue[],
): readonly string[] {
  if (header === undefined) return [];
  issues.push(...refuseFields(HeaderValueSchema, header, ["key", "value"], path));
  if (/%/.test(header.value)) {
    const what = `"${header.value}": formats are not supported here yet`;
    issues.push({ path: joinPath(path, "value"), message: what });
  }
  if (/[\r\n\0]/.test(header.value)) {
    issues.push({ path: joinPath(path, "value"), message: "may not have a line end in it" });
  }
  return [header.key.toLowerCase(), wireText(header.value)];
}
