import type { BehaviourCase } from "./behaviour-case.ts";

/** What a tutorial applies in the mesh of `tutorial-world.ts`, and what comes of it. */
export interface TutorialCase extends Pick<BehaviourCase, "name" | "exchanges" | "unready"> {
  /** YAML documents; by the mesh's block of addresses where they name some. */
  readonly config: string | ((block: number) => string);
}
