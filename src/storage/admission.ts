import type { Result } from "../base/issue.ts";
import type { KubeObject } from "../config/object.ts";
import type { Storage } from "./storage.ts";

/** One write that is about to happen, whoever makes it: a client of the API or a controller. */
export interface Admission {
  readonly operation: "create" | "update";
  readonly object: KubeObject;
  /** As it was; only for an update. */
  readonly old?: KubeObject;
  readonly subresource?: "status";
}

/**
 * Changes or refuses a write. Called with the object as it would be stored, and with what is stored
 * at that moment; a refusal becomes `StorageError("Invalid")` with its issues.
 */
export type Admit = (
  admission: Admission,
  view: Pick<Storage, "get" | "list">,
) => Result<KubeObject>;
