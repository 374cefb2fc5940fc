import type { SupportTable } from "./entry.ts";
import { works } from "./entry.ts";

/** DestinationRule. */
export const DESTINATION_RULE: SupportTable = {
  spec: works(),
};
