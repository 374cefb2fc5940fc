import type { Infer } from "./schema.ts";
import { object, required, string, uint32 } from "./schema.ts";

/** `PortSelector`: one port of a service, by its number. */
export const portSelectorSchema = object({ number: uint32({ description: "1 to 65535." }) });

/** `Destination`, wherever a route names one. */
export const destinationSchema = object({
  host: required(string({ description: "A service: short name, or with its namespace." })),
  subset: string({ description: "A name that a DestinationRule for the host defines." }),
  port: portSelectorSchema,
});

/** A host, one of its subsets, one of its ports. */
export type Destination = Infer<typeof destinationSchema>;
/** One port of a service. */
export type PortSelector = Infer<typeof portSelectorSchema>;
