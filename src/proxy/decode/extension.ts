import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { unpackAny } from "../../api/type-url.ts";
import type { Issue } from "../../base/issue.ts";
import { checkRules } from "../check-rules.ts";

/** A typed configuration that may be one of several extensions. */
export interface Extension<T> {
  readonly typeUrl: string;
  /** Decodes what the `Any` holds; `undefined` after an issue. */
  decode(any: Any, path: string, issues: Issue[]): T | undefined;
}

/** Declares an extension: one message, one decoder. */
export function extension<Desc extends DescMessage, T>(
  schema: Desc,
  decode: (message: MessageShape<Desc>, path: string, issues: Issue[]) => T | undefined,
): Extension<T> {
  return {
    typeUrl: `type.googleapis.com/${schema.typeName}`,
    decode(any, path, issues) {
      const before = issues.length;
      const message = unpack(schema, any, path, issues);
      if (message === undefined) return undefined;
      const decoded = decode(message, path, issues);
      // What is not supported comes first: it is the better news.
      if (issues.length === before) issues.push(...checkRules(schema, message, path));
      return decoded;
    },
  };
}

/** Unpacks an `Any` of a known type; broken bytes are an issue. */
function unpack<Desc extends DescMessage>(
  schema: Desc,
  any: Any,
  path: string,
  issues: Issue[],
): MessageShape<Desc> | undefined {
  try {
    return unpackAny(schema, any);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    issues.push({ path, message: `cannot be decoded as ${schema.typeName}: ${cause}` });
    return undefined;
  }
}

/** Finds the extension by its type and decodes it; an unknown one is refused in Envoy's words. */
export function decodeExtension<T>(
  extensions: readonly Extension<T>[],
  { name, any, path }: { name: string; any: Any | undefined; path: string },
  issues: Issue[],
): T | undefined {
  const found = extensions.find(({ typeUrl }) => typeUrl === any?.typeUrl);
  if (any === undefined || found === undefined) {
    const typeName = any === undefined ? "" : any.typeUrl.replace(/^.*\//, "");
    issues.push({
      path,
      message: `Didn't find a registered implementation for '${name}' with type URL: '${typeName}'`,
    });
    return undefined;
  }
  return found.decode(any, path, issues);
}
