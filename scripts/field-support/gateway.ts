import type { SupportTable } from "./entry.ts";
import { works } from "./entry.ts";

/** Gateway. */
export const GATEWAY: SupportTable = {
  spec: works(),
};
