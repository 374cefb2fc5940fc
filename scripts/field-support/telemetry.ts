import type { SupportTable } from "./entry.ts";
import { says, shownBy, works } from "./entry.ts";

const ISTIOD = "test/telemetry/istiod.test.ts";
const MODEL = "src/model/telemetry.test.ts";

/** Telemetry. */
export const TELEMETRY: SupportTable = {
  spec: works(ISTIOD),
  "spec.targetRef": shownBy(MODEL),
  "spec.targetRef.namespace": says("refused: may not be set", "src/config/telemetry.test.ts"),
  "spec.targetRefs": shownBy(MODEL),
};
