/** What tutorials tell their readers to apply, as a reader types it, and what they then see. */
import { TUTORIAL_API_CASES } from "./tutorial-api-cases.ts";
import type { TutorialCase } from "./tutorial-case.ts";
import { TUTORIAL_EDGE_CASES } from "./tutorial-edge-cases.ts";
import { TUTORIAL_POLICY_CASES } from "./tutorial-policy-cases.ts";

/** Everything that one configuration and some requests show. */
export const TUTORIAL_CASES: readonly TutorialCase[] = [
  ...TUTORIAL_API_CASES,
  ...TUTORIAL_POLICY_CASES,
  ...TUTORIAL_EDGE_CASES,
];
