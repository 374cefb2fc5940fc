import type { Infer } from "./schema.ts";
import { boolean, duration, integer, object, positiveDuration, string } from "./schema.ts";
import { tcpKeepaliveSchema } from "./tcp-keepalive.ts";

const tcp = object({
  maxConnections: integer({ description: "Of one proxy to all endpoints." }),
  connectTimeout: positiveDuration(),
  tcpKeepalive: tcpKeepaliveSchema,
  maxConnectionDuration: positiveDuration(),
  idleTimeout: duration({ description: "0s: never." }),
});

const http2KeepAlive = object({ interval: positiveDuration(), timeout: positiveDuration() });

const http = object({
  http1MaxPendingRequests: integer({ description: "That wait for a connection." }),
  http2MaxRequests: integer({ description: "Under way to all endpoints, of any HTTP version." }),
  maxRequestsPerConnection: integer({ description: "1 turns keep-alive off; 0 is no limit." }),
  maxRetries: integer({ description: "Under way to all endpoints." }),
  idleTimeout: positiveDuration({ description: "Of a connection without requests." }),
  h2UpgradePolicy: string({ enum: ["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"] }),
  useClientProtocol: boolean({ description: "Goes on in the HTTP version that came in." }),
  maxConcurrentStreams: integer({ description: "Of one HTTP/2 connection." }),
  http2KeepAlive,
});

/** `ConnectionPoolSettings`, of DestinationRules and Sidecars. */
export const connectionPoolSchema = object({ tcp, http });

/** Limits and times of the connections to a service. */
export type ConnectionPoolSettings = Infer<typeof connectionPoolSchema>;
/** Those of every connection. */
export type TcpSettings = Infer<typeof tcp>;
/** Those of HTTP. */
export type HttpSettings = Infer<typeof http>;
