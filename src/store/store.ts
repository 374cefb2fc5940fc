import type { KubeObject, ObjectKey } from "../config/object.ts";

/** All configuration at one moment; never changes, so that identity tells whether a thing did. */
export interface ConfigView {
  /** Every object of a kind in the given namespace, or in all; sorted by namespace and name. */
  list<T extends KubeObject>(group: string, kind: string, namespace?: string): readonly T[];
  get<T extends KubeObject>(key: ObjectKey): T | undefined;
}
