import { clientTlsSchema } from "./client-tls.ts";
import { connectionPoolSchema } from "./connection-pool.ts";
import { portSelectorSchema } from "./destination.ts";
import { loadBalancerSchema } from "./load-balancer.ts";
import { outlierDetectionSchema } from "./outlier-detection.ts";
import type { Infer } from "./schema.ts";
import { array, duration, noEffect, number, object, required, string, uint32 } from "./schema.ts";

const portTrafficPolicy = object({
  port: portSelectorSchema,
  loadBalancer: loadBalancerSchema,
  connectionPool: connectionPoolSchema,
  outlierDetection: outlierDetectionSchema,
  tls: clientTlsSchema,
});

const tunnel = object({
  protocol: string({ description: "CONNECT, the default, or POST." }),
  targetHost: required(string()),
  targetPort: required(uint32()),
});

const proxyProtocol = object({ version: string({ enum: ["V1", "V2"] }) });

const retryBudget = object({
  percent: number({ minimum: 0, maximum: 100, description: "Of requests; 20 unless said." }),
  minRetryConcurrency: uint32({ description: "Retries that are allowed always; 3." }),
  budgetInterval: noEffect(duration(), "the requests that are under way are counted"),
});

/** `TrafficPolicy` of a DestinationRule or of one of its subsets. */
export const trafficPolicySchema = object({
  loadBalancer: loadBalancerSchema,
  connectionPool: connectionPoolSchema,
  outlierDetection: outlierDetectionSchema,
  tls: clientTlsSchema,
  portLevelSettings: array(portTrafficPolicy, {
    maxItems: 4096,
    description: "For one port, instead of what stands beside it.",
  }),
  tunnel,
  proxyProtocol,
  retryBudget,
});

/** How traffic to a host, or to one of its subsets, is treated. */
export type TrafficPolicy = Infer<typeof trafficPolicySchema>;
/** The same for one port. */
export type PortTrafficPolicy = Infer<typeof portTrafficPolicy>;
/** Where TCP is carried through an HTTP proxy. */
export type TunnelSettings = Infer<typeof tunnel>;
