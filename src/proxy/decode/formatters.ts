import type { TypedExtensionConfig } from "../../api/gen/envoy/config/core/v3/extension_pb.js";
import { CelSchema } from "../../api/gen/envoy/extensions/formatter/cel/v3/cel_pb.js";
import { MetadataSchema } from "../../api/gen/envoy/extensions/formatter/metadata/v3/metadata_pb.js";
import { ReqWithoutQuerySchema } from "../../api/gen/envoy/extensions/formatter/req_without_query/v3/req_without_query_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { FormatExtras } from "../../match/substitution.ts";
import { decodeCelConfig } from "./cel-config.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";

/** Operators that a format has only with an extension, by the extension. */
const FORMATTERS: readonly Extension<FormatExtras>[] = [
  extension(ReqWithoutQuerySchema, () => new Set(["REQ_WITHOUT_QUERY"])),
  // Built in, whether it is asked for or not.
  extension(MetadataSchema, () => new Set()),
  // So is this one; only what its expressions may do is said here.
  extension(CelSchema, (message, path, issues) => {
    issues.push(...refuseFields(CelSchema, message, ["cel_config"], path));
    return decodeCelConfig(message.celConfig, joinPath(path, "cel_config"), issues);
  }),
];

/** Decodes the extensions that bring operators of their own, and what is possible with them. */
export function decodeFormatters(
  formatters: readonly TypedExtensionConfig[],
  path: string,
  issues: Issue[],
): FormatExtras {
  const names = formatters.flatMap(({ name, typedConfig: any }, at) => {
    const formatterPath = joinPath(path, `formatters[${at}]`);
    const extras = decodeExtension(FORMATTERS, { name, any, path: formatterPath }, issues);
    return extras === undefined ? [] : [...extras];
  });
  return new Set(names);
}
