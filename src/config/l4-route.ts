import { destinationSchema } from "./destination.ts";
import type { Infer } from "./schema.ts";
import { array, integer, map, noEffect, object, required, string, uint32 } from "./schema.ts";

const routeDestination = object({
  destination: required(destinationSchema),
  weight: integer({ description: "Its share of the sum of the weights." }),
});

const l4Match = {
  destinationSubnets: array(string(), { description: "Addresses or CIDR ranges." }),
  port: uint32({ description: "The port that the client asked for; 0 is every port." }),
  sourceLabels: map(string(), { description: "Clients that have these labels." }),
  gateways: array(string(), { description: "Instead of the gateways of the whole object." }),
  sourceNamespace: string({ description: "Clients in this namespace." }),
} as const;

const tlsMatch = object({
  sniHosts: required(array(string(), { description: "Within the hosts of the whole object." })),
  ...l4Match,
});

const tcpMatch = object({
  ...l4Match,
  sourceSubnet: noEffect(string(), "Istio does not match by it, use sourceLabels"),
});

/** `spec.tls[]` of a VirtualService. */
export const tlsRouteSchema = object({
  match: required(array(tlsMatch)),
  route: array(routeDestination),
});

/** `spec.tcp[]` of a VirtualService. */
export const tcpRouteSchema = object({
  match: array(tcpMatch, { description: "One of them must match; none: every connection does." }),
  route: array(routeDestination),
});

/** One rule for TLS that is passed on as it is. */
export type TlsRoute = Infer<typeof tlsRouteSchema>;
/** One rule for connections of any protocol. */
export type TcpRoute = Infer<typeof tcpRouteSchema>;
/** One alternative of `spec.tcp[].match`; all that it names must match. */
export type TcpMatch = Infer<typeof tcpMatch>;
/** What both have in common. */
export type L4Match = Omit<TcpMatch, "sourceSubnet">;
/** One weighted destination of a rule for connections. */
export type RouteDestination = Infer<typeof routeDestination>;
