import {
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from "../../api/gen/envoy/config/core/v3/config_source_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";

/** Checks that a resource is to come over the one ADS stream; other sources are refused by name. */
export function isAds(source: ConfigSource | undefined, path: string, issues: Issue[]): boolean {
  if (source === undefined) {
    issues.push({ path, message: "is missing" });
    return false;
  }
  // How long a first response is waited for concerns whoever waits.
  const handled = ["ads", "resource_api_version", "initial_fetch_timeout"];
  issues.push(...refuseFields(ConfigSourceSchema, source, handled, path));
  refuseVersion(source.resourceApiVersion, joinPath(path, "resource_api_version"), issues);
  return source.configSourceSpecifier.case === "ads";
}

/** Only v3 is spoken, which AUTO means as well. */
export function refuseVersion(version: ApiVersion, path: string, issues: Issue[]): void {
  if (version === ApiVersion.V3 || version === ApiVersion.AUTO) return;
  const what = `${ApiVersion[version] ?? version} is not supported, only V3`;
  issues.push({ path, message: what });
}
