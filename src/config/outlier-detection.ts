import type { Infer } from "./schema.ts";
import { array, boolean, integer, noEffect, object, positiveDuration, uint32 } from "./schema.ts";

/** `OutlierDetection`, of DestinationRules and Sidecars. */
export const outlierDetectionSchema = object({
  consecutiveErrors: integer({ description: "Replaced by `consecutive5xxErrors`." }),
  splitExternalLocalOriginErrors: boolean({
    description: "Counts failures to connect apart from answers.",
  }),
  consecutiveLocalOriginFailures: uint32(),
  consecutiveGatewayErrors: uint32({ description: "502, 503, 504; 0 turns it off." }),
  consecutive5xxErrors: uint32({ description: "0 turns it off." }),
  interval: positiveDuration({ description: "Between two sweeps; 10s unless it says so." }),
  baseEjectionTime: positiveDuration({ description: "Times the number of ejections; 30s." }),
  maxEjectionPercent: integer({ description: "Of all endpoints; 10 unless it says so." }),
  minHealthPercent: integer({ description: "With fewer in health, nothing is ejected." }),
  outlierDetectionHttpErrorCodes: noEffect(
    array(integer({ minimum: 100, maximum: 599 })),
    "all of 5xx count as errors, and no others",
  ),
});

/** When endpoints are taken out of use for what they answered. */
export type OutlierDetection = Infer<typeof outlierDetectionSchema>;
