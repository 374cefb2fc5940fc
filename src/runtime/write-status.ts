import { type KubeObject, keyOf } from "../config/object.ts";
import type { Storage } from "../storage/storage.ts";
import { StorageError } from "../storage/storage.ts";
import { canonicalJson } from "./short-hash.ts";

const ATTEMPTS_MAX = 5;

/**
 * Writes an object's status over whatever version it has by now; the status is the writer's alone.
 * Resolves without writing when the object is gone or another one has its name.
 */
export async function writeStatus(
  storage: Storage,
  object: KubeObject,
  status: unknown,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const current = storage.get(keyOf(object));
    if (current === undefined || current.metadata.uid !== object.metadata.uid) return;
    const next: KubeObject & { status: unknown } = { ...current, status };
    if (canonicalJson(next) === canonicalJson(current)) return;
    try {
      await storage.update(next, { subresource: "status" });
      return;
    } catch (error) {
      const reason = error instanceof StorageError ? error.reason : undefined;
      if (reason === "NotFound") return;
      if (reason !== "Conflict" || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}
