import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { typeUrlOf } from "../api/type-url.ts";
import type { Issue } from "../base/issue.ts";

/** An extension as it stands in a configuration. */
export interface TypedExtension {
  readonly name: string;
  readonly any: { readonly typeUrl: string; readonly value: Uint8Array } | undefined;
  readonly path: string;
}

/** What an extension says, when it is of the given type; otherwise it is refused in Envoy's words. */
export function unpackOf<Desc extends DescMessage>(
  schema: Desc,
  { name, any, path }: TypedExtension,
  issues: Issue[],
): MessageShape<Desc> | undefined {
  if (any?.typeUrl !== typeUrlOf(schema)) {
    const typeName = any === undefined ? "" : any.typeUrl.replace(/^.*\//, "");
    const message = `Didn't find a registered implementation for '${name}' with type URL: '${typeName}'`;
    issues.push({ path, message });
    return undefined;
  }
  try {
    return fromBinary(schema, any.value);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    issues.push({ path, message: `cannot be decoded as ${schema.typeName}: ${cause}` });
    return undefined;
  }
}
