import type { Infer } from "./schema.ts";
import { object, positiveDuration, uint32 } from "./schema.ts";

/** `TcpKeepalive`; what is absent is left to the operating system. */
export const tcpKeepaliveSchema = object({
  probes: uint32({ description: "Unanswered ones after which the connection is dead." }),
  time: positiveDuration({ description: "How long it must be idle before the first." }),
  interval: positiveDuration({ description: "Between two." }),
});

/** SO_KEEPALIVE of a connection. */
export type TcpKeepalive = Infer<typeof tcpKeepaliveSchema>;
