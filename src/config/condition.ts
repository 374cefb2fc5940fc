import type { Typed } from "./schema.ts";
import { dateTime, integer, listMap, object, required, string } from "./schema.ts";

/** One observation about an object, as all kinds report them in `status.conditions`. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
  readonly lastUpdateTime?: string;
  readonly lastProbeTime?: string;
  readonly observedGeneration?: number;
}

/** `status.conditions`: one of each type. */
export const conditionsSchema: Typed<readonly Condition[]> = listMap(
  ["type"],
  object({
    type: required(string({ minLength: 1 })),
    status: required(string({ enum: ["True", "False", "Unknown"] })),
    reason: string(),
    message: string(),
    lastTransitionTime: dateTime(),
    lastUpdateTime: dateTime(),
    lastProbeTime: dateTime(),
    observedGeneration: integer({ format: "int64" }),
  }),
);
