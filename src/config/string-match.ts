import type { Infer } from "./schema.ts";
import { atMostOne, object, string } from "./schema.ts";

/** `StringMatch` of Istio's networking kinds. */
export const stringMatchSchema = object(
  {
    exact: string({ description: "The whole text, letter case included." }),
    prefix: string({ description: "How the text starts." }),
    regex: string({ description: "The whole text, as an RE2 regular expression." }),
  },
  { ...atMostOne("exact", "prefix", "regex") },
);

/** How one text is compared; without any of the three, that it is there is enough. */
export type StringMatch = Infer<typeof stringMatchSchema>;
