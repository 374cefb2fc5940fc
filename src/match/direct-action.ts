import { DataSourceSchema } from "../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type DirectResponseAction,
  DirectResponseActionSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import type { DirectAction } from "./route.ts";
import { wireText } from "./wire-text.ts";

/**
 * Reads a file that a configuration names, once, while it is decoded: one character for each byte.
 * Throws when it cannot be read.
 */
export type FileReader = (path: string) => string;

/** Decodes the action that answers by itself. */
export function decodeDirectAction(
  message: DirectResponseAction,
  from: {
    readonly path: string;
    readonly issues: Issue[];
    readonly readFile: FileReader;
    readonly bodyBytesMax: number;
  },
): DirectAction {
  const { path, issues } = from;
  issues.push(...refuseFields(DirectResponseActionSchema, message, ["status", "body"], path));
  if (message.status < 200 || message.status >= 600) {
    const what = `${message.status} is not between 200 and 599`;
    issues.push({ path: joinPath(path, "status"), message: what });
  }
  return { kind: "direct", status: message.status, body: decodeBody(message, from) };
}

function decodeBody(
  { body }: DirectResponseAction,
  {
    path,
    issues,
    readFile,
    bodyBytesMax,
  }: { path: string; issues: Issue[]; readFile: FileReader; bodyBytesMax: number },
): string {
  if (body === undefined) return "";
  const at = joinPath(path, "body");
  const handled = ["filename", "inline_bytes", "inline_string"];
  issues.push(...refuseFields(DataSourceSchema, body, handled, at));
  const { specifier } = body;
  const checkSize = (text: string, what: string): string => {
    if (text.length > bodyBytesMax) {
      const message = `${what} size is ${text.length} bytes; maximum is ${bodyBytesMax}`;
      issues.push({ path: at, message });
    }
    return text;
  };
  switch (specifier.case) {
    case "inlineString":
      return checkSize(wireText(specifier.value), "response body");
    case "inlineBytes":
      return checkSize(Buffer.from(specifier.value).toString("latin1"), "response body");
    case "filename":
      try {
        return checkSize(readFile(specifier.value), `file ${specifier.value}`);
      } catch (error) {
        const cause = error instanceof Error ? error.message : String(error);
        issues.push({ path: joinPath(at, "filename"), message: `cannot be read: ${cause}` });
        return "";
      }
    // Refused by name with the other fields, or empty.
    case "environmentVariable":
    case undefined:
      return "";
  }
}
