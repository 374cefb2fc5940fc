import {
  type ClusterLoadAssignment_Policy_DropOverload,
  ClusterLoadAssignment_Policy_DropOverloadSchema,
} from "../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import {
  FractionalPercent_DenominatorType as Denominator,
  FractionalPercentSchema,
} from "../../api/gen/envoy/type/v3/percent_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import { shareOf } from "../../match/runtime-reader.ts";

/** The share of a cluster's requests that are dropped, 0 to 1. As in Envoy there may be one. */
export function decodeDropOverloads(
  messages: readonly ClusterLoadAssignment_Policy_DropOverload[],
  path: string,
  issues: Issue[],
): number {
  const [message] = messages;
  if (message === undefined) return 0;
  if (messages.length > 1) {
    const what = `Cluster drop_overloads config has ${messages.length} categories. Envoy only support one.`;
    issues.push({ path, message: what });
  }
  const schema = ClusterLoadAssignment_Policy_DropOverloadSchema;
  // The category is for reports to a control plane, which are not made.
  const fields = ["category", "drop_percentage"];
  issues.push(...refuseFields(schema, message, fields, `${path}[0]`));
  const { dropPercentage } = message;
  if (dropPercentage === undefined) return 0;
  const at = joinPath(`${path}[0]`, "drop_percentage");
  const handled = ["numerator", "denominator"];
  issues.push(...refuseFields(FractionalPercentSchema, dropPercentage, handled, at));
  const { numerator, denominator } = dropPercentage;
  const whole = { [Denominator.HUNDRED]: 100, [Denominator.TEN_THOUSAND]: 10_000 };
  const of = whole[denominator as keyof typeof whole] ?? 1_000_000;
  if (numerator > of) {
    const what = `Cluster drop_overloads config is invalid. drop_ratio=${numerator / of}(Numerator ${numerator} / Denominator ${of}). The valid range is 0~1.`;
    issues.push({ path: at, message: what });
  }
  return shareOf(dropPercentage);
}
