import { localityLbSettingSchema } from "./locality-lb-setting.ts";
import type { Infer } from "./schema.ts";
import {
  array,
  atMostOne,
  boolean,
  duration,
  integer,
  notBuilt,
  number,
  object,
  positiveDuration,
  required,
  string,
} from "./schema.ts";

const SIMPLE_NAMES = [
  "UNSPECIFIED",
  "LEAST_CONN",
  "RANDOM",
  "PASSTHROUGH",
  "ROUND_ROBIN",
  "LEAST_REQUEST",
] as const;

const uint64 = integer({ format: "int64", minimum: 0 });

const httpCookie = object({
  name: required(string()),
  path: string(),
  ttl: duration({ description: "Set: a client without the cookie is given it for so long." }),
  attributes: array(object({ name: required(string()), value: string() })),
});

const keyOf = atMostOne("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName");

const consistentHash = object(
  {
    httpHeaderName: string(),
    httpCookie,
    useSourceIp: boolean(),
    httpQueryParameterName: string(),
    ringHash: object({ minimumRingSize: uint64 }),
    maglev: object({ tableSize: uint64 }),
    minimumRingSize: uint64,
  },
  { allOf: [keyOf, atMostOne("ringHash", "maglev")] },
);

const warmup = object({
  duration: required(positiveDuration({ description: "How long an endpoint counts as new." })),
  minimumPercent: number({ minimum: 0, maximum: 100, description: "10 unless it says so." }),
  aggression: number({ minimum: 0, description: "1 is a straight line." }),
});

/** `LoadBalancerSettings` of a DestinationRule. */
export const loadBalancerSchema = object(
  {
    simple: string({ enum: SIMPLE_NAMES }),
    consistentHash,
    backendUtilization: notBuilt("Weights by the load that endpoints report."),
    localityLbSetting: localityLbSettingSchema,
    zoneAwareLbSetting: notBuilt("Prefers the client's zone by the number of clients in it."),
    warmup,
    warmupDurationSecs: positiveDuration({ description: "Replaced by `warmup`." }),
  },
  atMostOne("simple", "consistentHash", "backendUtilization"),
);

/** How an endpoint is chosen. */
export type LoadBalancerSettings = Infer<typeof loadBalancerSchema>;
/** An endpoint by something of the request, so that the same one answers again. */
export type ConsistentHash = Infer<typeof consistentHash>;
/** How an endpoint that has just come is given its share. */
export type Warmup = Infer<typeof warmup>;
