import type { Infer } from "./schema.ts";
import { map, object, string } from "./schema.ts";

/** `WorkloadSelector` of istio.type: which workloads a policy is for. */
export const policySelectorSchema = object({
  matchLabels: map(string({ maxLength: 63 }), {
    maxProperties: 4096,
    description: "All must be there.",
  }),
});

/** `WorkloadSelector` of Sidecar and ServiceEntry, the same in an older form. */
export const workloadSelectorSchema = object({
  labels: map(string({ maxLength: 63 }), {
    maxProperties: 256,
    description: "All must be there.",
  }),
});

/** Workloads by labels that they must all have; none selects every workload. */
export type PolicySelector = Infer<typeof policySelectorSchema>;
