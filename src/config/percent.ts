import type { Infer } from "./schema.ts";
import { number, object } from "./schema.ts";

/** `Percent`: a part of all requests, 0 to 100, fractions allowed. */
export const percentSchema = object({ value: number() });

/** A part of all requests in percent; without a value it is 0. */
export type Percent = Infer<typeof percentSchema>;
