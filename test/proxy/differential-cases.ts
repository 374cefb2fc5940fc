import { BODIES_CASES } from "./cases/bodies.ts";
import { EDGE_CASES } from "./cases/edge.ts";
import { REFUSED_CASES } from "./cases/refused.ts";
import { RESPONSES_CASES } from "./cases/responses.ts";
import { ROUTING_CASES } from "./cases/routing.ts";
import { STRICTER_CASES } from "./cases/stricter.ts";
import { TARGETS_CASES } from "./cases/targets.ts";
import type { DifferentialCase } from "./differential-case.ts";

/** Every case, by what it is about. */
export const DIFFERENTIAL_CASES: readonly DifferentialCase[] = [
  ...ROUTING_CASES,
  ...RESPONSES_CASES,
  ...BODIES_CASES,
  ...TARGETS_CASES,
  ...EDGE_CASES,
  ...REFUSED_CASES,
  ...STRICTER_CASES,
];
