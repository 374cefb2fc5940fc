import {
  type CidrRange as CidrMessage,
  CidrRangeSchema,
} from "../api/gen/envoy/config/core/v3/address_pb.js";
import { type CidrRange, parseCidr } from "../base/cidr.ts";
import type { Issue } from "../base/issue.ts";
import { refuseFields } from "./refuse-fields.ts";

/** Decodes a block of addresses; without a length it holds all of its kind, as Envoy has it. */
export function decodeCidr(
  message: CidrMessage,
  path: string,
  issues: Issue[],
): CidrRange | undefined {
  const handled = ["address_prefix", "prefix_len"];
  issues.push(...refuseFields(CidrRangeSchema, message, handled, path));
  const { addressPrefix, prefixLen = 0 } = message;
  const range = parseCidr(addressPrefix, prefixLen);
  if (range === undefined) {
    issues.push({ path, message: `malformed IP address: ${addressPrefix}` });
  }
  return range;
}
