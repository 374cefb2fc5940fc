import { type DescMessage, isFieldSet, type Message } from "@bufbuild/protobuf";
import type { Issue } from "../base/issue.ts";

/**
 * Refuses every field that is set and not named in `handled` (names as in the .proto file), and
 * every field that the generated code does not know. So nothing is accepted and then ignored: a
 * field is refused until somebody writes its name here and code for it.
 */
export function refuseFields(
  schema: DescMessage,
  message: Message,
  handled: readonly string[],
  path: string,
): Issue[] {
  const issues: Issue[] = [];
  for (const field of schema.fields) {
    if (!isFieldSet(message, field) || handled.includes(field.name)) continue;
    issues.push({ path: joinPath(path, field.name), message: "is not supported yet" });
  }
  for (const unknown of message.$unknown ?? []) {
    issues.push({ path, message: `has the unknown field number ${unknown.no}` });
  }
  return issues;
}

/** `a` and `b` → `a.b`; an index goes without a dot: `a` and `[0]` → `a[0]`. */
export function joinPath(path: string, part: string): string {
  return path === "" || part.startsWith("[") ? `${path}${part}` : `${path}.${part}`;
}
