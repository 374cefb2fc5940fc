import {
  type Config,
  ConfigSchema,
} from "../../api/gen/envoy/extensions/filters/network/direct_response/v3/config_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { directResponse } from "../network-filter/direct-response.ts";
import type { TerminalFilterConfig } from "../network-filter/network-filter.ts";

/** Decodes a direct response; text that stands in a file or in the environment is not built. */
export function decodeDirectResponse(
  message: Config,
  path: string,
  issues: Issue[],
): TerminalFilterConfig {
  issues.push(...refuseFields(ConfigSchema, message, ["response"], path));
  const given = message.response?.specifier;
  if (given?.case === "inlineString") return directResponse(Buffer.from(given.value));
  if (given?.case === "inlineBytes") return directResponse(Buffer.from(given.value));
  if (given?.case !== undefined) {
    const what = `source "${given.case}" is not supported yet`;
    issues.push({ path: joinPath(path, "response"), message: what });
  }
  return directResponse(Buffer.alloc(0));
}
