import {
  type CelExpressionConfig,
  CelExpressionConfigSchema,
} from "../../api/gen/envoy/config/core/v3/cel_pb.js";
import type { Issue } from "../../base/issue.ts";
import { CEL_EXTRAS, type CelExtra } from "../../match/cel.ts";
import { refuseFields } from "../../match/refuse-fields.ts";

/** What expressions may do besides. */
export function decodeCelConfig(
  message: CelExpressionConfig | undefined,
  path: string,
  issues: Issue[],
): ReadonlySet<CelExtra> {
  if (message === undefined) return new Set();
  const { convert, join, functions } = CEL_EXTRAS;
  issues.push(...refuseFields(CelExpressionConfigSchema, message, Object.values(CEL_EXTRAS), path));
  const given = [
    message.enableStringConversion ? convert : undefined,
    message.enableStringConcat ? join : undefined,
    message.enableStringFunctions ? functions : undefined,
  ];
  return new Set(given.filter((one) => one !== undefined));
}
