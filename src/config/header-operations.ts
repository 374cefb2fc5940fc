import type { Infer } from "./schema.ts";
import { array, map, object, string } from "./schema.ts";

const headerOperations = object({
  set: map(string(), { description: "Replaces what is there." }),
  add: map(string(), { description: "Beside what is there." }),
  remove: array(string()),
});

/** `headers` of a route or of one destination. */
export const headersSchema = object({ request: headerOperations, response: headerOperations });

/** What is changed in the headers of one direction; the values may hold command operators. */
export type HeaderOperations = Infer<typeof headerOperations>;
/** What is changed in the headers of requests and of responses. */
export type Headers = Infer<typeof headersSchema>;
