import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Metadata } from "../api/gen/envoy/config/core/v3/base_pb.js";

/** One key that a host's metadata must have, and its value in canonical text. */
export interface SubsetCriterion {
  readonly key: string;
  readonly value: string;
}

/** Sorted by key, so that equal criteria have equal text. */
export type SubsetCriteria = readonly SubsetCriterion[];

/** The filter under whose name load balancers look. */
const BALANCER = "envoy.lb";

/** What a message's metadata says to the load balancer; empty when nothing. */
export function subsetCriteria(metadata: Metadata | undefined): SubsetCriteria {
  return criteriaOf(metadata?.filterMetadata[BALANCER]);
}

/** A struct as criteria. */
function criteriaOf(struct: JsonObject | undefined): SubsetCriteria {
  return Object.entries(struct ?? {})
    .map(([key, value]) => ({ key, value: canonicalText(value) }))
    .sort(byKey);
}

/** Those of a route with those of a weighted cluster, which win key by key. */
export function mergeCriteria(less: SubsetCriteria, more: SubsetCriteria): SubsetCriteria {
  if (more.length === 0) return less;
  const kept = less.filter(({ key }) => !more.some((other) => other.key === key));
  return [...kept, ...more].sort(byKey);
}

/** A metadata value as text: equal values have equal text. */
export function canonicalText(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalText(item)}`).join()}}`;
}

function byKey(left: SubsetCriterion, right: SubsetCriterion): number {
  return left.key < right.key ? -1 : 1;
}
