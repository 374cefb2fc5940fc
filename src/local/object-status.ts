import { isError } from "../base/issue.ts";
import type { JsonObject } from "../config/json.ts";
import { KINDS } from "../config/kinds.ts";
import { type KubeObject, keyOf, keyText } from "../config/object.ts";
import type { Finding } from "../controlplane/findings.ts";
import type { Storage } from "../storage/storage.ts";
import { StorageError } from "../storage/storage.ts";
import type { Logger } from "../telemetry/log.ts";

type Message = JsonObject;

/** Kinds whose status has room for it: `status.validationMessages`, as Istio's analysis writes it. */
const NOTED_KINDS = KINDS.filter(
  ({ schema }) => schema.properties?.["status"]?.properties?.["validationMessages"] !== undefined,
);

/**
 * Keeps `status.validationMessages` of the stored objects to what the control plane finds wrong
 * with them now: each message with its level, the path inside of the object and the text. What is
 * mended disappears. Writes one after the other, always what was found last.
 */
export class ObjectStatusWriter {
  readonly #storage: Storage;
  readonly #log: Logger;
  #wanted: ReadonlyMap<string, readonly Message[]> | undefined;
  #running: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(storage: Storage, log: Logger) {
    this.#storage = storage;
    this.#log = log;
  }

  /** From now on the objects' status says these. */
  update(findings: readonly Finding[]): void {
    const isWaiting = this.#wanted !== undefined;
    this.#wanted = messagesOf(findings);
    if (!isWaiting) this.#running = this.#running.then(() => this.#write());
  }

  /** Resolves when nothing is being written any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #write(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    if (wanted === undefined) return;
    for (const { group, kind } of NOTED_KINDS) {
      for (const object of this.#storage.list({ group, kind }).items) {
        // Something newer was found meanwhile, and waits behind this.
        if (this.#isStopped || this.#wanted !== undefined) return;
        await this.#writeOne(object, wanted.get(keyText(keyOf(object))) ?? []);
      }
    }
  }

  async #writeOne(object: KubeObject, messages: readonly Message[]): Promise<void> {
    const { validationMessages = [], ...status } = statusOf(object);
    if (JSON.stringify(validationMessages) === JSON.stringify(messages)) return;
    const next = messages.length === 0 ? status : { ...status, validationMessages: messages };
    try {
      await this.#storage.update({ ...object, status: next } as KubeObject, {
        subresource: "status",
      });
    } catch (error) {
      // Whoever changed or deleted it meanwhile makes the control plane look again.
      if (error instanceof StorageError && error.reason !== "Invalid") return;
      this.#log.warn("the status of an object could not be written", {
        object: keyText(keyOf(object)),
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}

function statusOf(object: KubeObject): JsonObject {
  return (object as { readonly status?: JsonObject }).status ?? {};
}

/** What is said of each object, errors first, as `Findings` sorts them. */
function messagesOf(findings: readonly Finding[]): ReadonlyMap<string, readonly Message[]> {
  const byObject = new Map<string, Message[]>();
  for (const { key, issue } of findings) {
    if (key === undefined) continue;
    const message = {
      level: isError(issue) ? "ERROR" : "WARNING",
      path: issue.path,
      message: issue.message,
    };
    const text = keyText(key);
    const list = byObject.get(text) ?? [];
    byObject.set(text, [...list, message]);
  }
  return byObject;
}
