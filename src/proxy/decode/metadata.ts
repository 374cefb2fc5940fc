import { type Metadata, MetadataSchema } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import type { Issue } from "../../base/issue.ts";
import { refuseFields } from "../../match/refuse-fields.ts";
import type { Metadata as Values } from "../cluster/cluster-config.ts";

const NONE: Values = {};

/** Decodes metadata: JSON by namespace. What is typed is for extensions that are not built. */
export function decodeMetadata(
  message: Metadata | undefined,
  path: string,
  issues: Issue[],
): Values {
  if (message === undefined) return NONE;
  issues.push(...refuseFields(MetadataSchema, message, ["filter_metadata"], path));
  return message.filterMetadata;
}
