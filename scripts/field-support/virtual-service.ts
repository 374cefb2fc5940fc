import type { SupportTable } from "./entry.ts";
import { says, works } from "./entry.ts";

const RULES = "src/config/virtual-service.test.ts";

/** VirtualService. */
export const VIRTUAL_SERVICE: SupportTable = {
  spec: works(),
  "spec.http[].fault.delay.exponentialDelay": says(
    "refused: is not supported, by Envoy neither: use fixedDelay",
    RULES,
  ),
  "spec.http[].fault.abort.http2Error": says(
    "refused: is not supported, by Envoy neither: use httpStatus or grpcStatus",
    RULES,
  ),
};
