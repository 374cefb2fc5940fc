import { type Issue, isError } from "../../base/issue.ts";
import { decodeAs } from "../../config/decode.ts";
import { isJsonObject, isSameJson, type JsonObject } from "../../config/json.ts";
import type { Kind } from "../../config/kind.ts";
import { formatKey, type KubeObject, keyOf, type ObjectKey } from "../../config/object.ts";
import type { ConfigEvent, RefusedInput } from "../source.ts";
import { trimObject } from "./trim-object.ts";

/** What an object's status is written against; kept for kinds whose status has room for weft's. */
export interface StoredStatus {
  readonly resourceVersion: string;
  readonly generation: number | undefined;
  readonly status: JsonObject;
}

/** Told of each object that came, changed or went. */
export type OnEvent = (event: ConfigEvent) => void;

/**
 * The objects of one kind in their last good form, and what is wrong with the others. Pure: told
 * what an API server says, it says what changed of what the mesh is made from.
 */
export class KindState {
  readonly #kind: Kind;
  readonly #onEvent: OnEvent;
  readonly #hasStatus: boolean;
  readonly #objects = new Map<string, KubeObject>();
  readonly #refused = new Map<string, readonly RefusedInput[]>();
  readonly #statuses = new Map<string, StoredStatus>();
  /** Good versions from an earlier run, of which the server has not told yet. */
  #restored = new Map<string, KubeObject>();
  /** While everything is listed: what was there. */
  #seen: Set<string> | undefined;

  constructor(kind: Kind, onEvent: OnEvent) {
    this.#kind = kind;
    this.#onEvent = onEvent;
    this.#hasStatus = hasOwnStatus(kind);
  }

  /** How many objects are in use. */
  get size(): number {
    return this.#objects.size;
  }

  objects(): Iterable<KubeObject> {
    return this.#objects.values();
  }

  refused(): Iterable<readonly RefusedInput[]> {
    return this.#refused.values();
  }

  /** What the server has as the object's status; `undefined` for an object that is not there. */
  status(namespace: string, name: string): StoredStatus | undefined {
    return this.#statuses.get(placeOf(namespace, name));
  }

  /** The server has this object now, which its watch has not told yet. */
  noteStatus(raw: unknown): void {
    const { namespace, name } = nameIn(raw);
    const place = placeOf(namespace, name);
    if (this.#statuses.has(place)) this.#statuses.set(place, storedStatus(raw));
  }

  /** The last good versions of an earlier run: used for what is refused now, and by `useRestored`. */
  restore(objects: readonly KubeObject[]): void {
    this.#restored = new Map(objects.map((object) => [placeOfObject(object), object]));
  }

  /** Takes what was restored for what there is, until the server tells. */
  useRestored(): void {
    for (const [place, object] of this.#restored) this.#use(place, object);
  }

  /** All objects are going to be told: what is not among them is gone at `endList`. */
  beginList(): void {
    this.#seen = new Set();
  }

  endList(): void {
    const seen = this.#seen ?? new Set();
    this.#seen = undefined;
    this.#restored.clear();
    const places = [...this.#objects.keys(), ...this.#refused.keys(), ...this.#statuses.keys()];
    for (const place of places) if (!seen.has(place)) this.#remove(place);
  }

  /** Nothing is there: the kind is not installed. */
  clear(): void {
    this.beginList();
    this.endList();
  }

  /** An object as the server has it now. */
  put(raw: unknown, version: string): void {
    const { namespace, name } = nameIn(raw);
    const place = placeOf(namespace, name);
    this.#seen?.add(place);
    if (this.#hasStatus) this.#statuses.set(place, storedStatus(raw));
    const trimmed = isJsonObject(raw) ? trimObject(this.#kind, version, raw) : raw;
    // Fields that other versions of Kubernetes have are no mistake of anybody's; Istio's are ours.
    const isOurs = this.#kind.origin === "Istio";
    const decoded = decodeAs(this.#kind, trimmed, { unknownFields: isOurs ? "error" : "ignore" });
    const issues = decoded.ok ? (decoded.warnings ?? []) : decoded.issues;
    this.#setRefused(place, isOurs ? issues : issues.filter(isError));
    if (decoded.ok) return this.#use(place, decoded.value);
    const earlier = this.#restored.get(place);
    if (earlier !== undefined && !this.#objects.has(place)) this.#use(place, earlier);
  }

  /** An object is gone. */
  remove(raw: unknown): void {
    const { namespace, name } = nameIn(raw);
    this.#remove(placeOf(namespace, name));
  }

  #use(place: string, object: KubeObject): void {
    if (isSameJson(this.#objects.get(place), object)) return;
    this.#objects.set(place, object);
    this.#onEvent({ type: "set", object });
  }

  #remove(place: string): void {
    this.#refused.delete(place);
    this.#statuses.delete(place);
    this.#restored.delete(place);
    const object = this.#objects.get(place);
    if (object === undefined) return;
    this.#objects.delete(place);
    this.#onEvent({ type: "delete", key: keyOf(object) });
  }

  #setRefused(place: string, issues: readonly Issue[]): void {
    if (issues.length === 0) {
      this.#refused.delete(place);
      return;
    }
    const key = this.#keyAt(place);
    const object = formatKey(key);
    this.#refused.set(
      place,
      issues.map((issue) => ({ object, key, issue })),
    );
  }

  #keyAt(place: string): ObjectKey {
    const { group, kind } = this.#kind;
    const slash = place.indexOf("/");
    return { group, kind, namespace: place.slice(0, slash), name: place.slice(slash + 1) };
  }
}

/** Whether weft writes a kind's status: those that have Istio's form of it. */
function hasOwnStatus({ schema }: Kind): boolean {
  return schema.properties?.["status"]?.properties?.["validationMessages"] !== undefined;
}

function nameIn(raw: unknown): { readonly namespace: string; readonly name: string } {
  const metadata = isJsonObject(raw) && isJsonObject(raw["metadata"]) ? raw["metadata"] : {};
  const { namespace, name } = metadata as { namespace?: unknown; name?: unknown };
  if (typeof name !== "string") throw new Error("the API server gave an object without a name");
  return { namespace: typeof namespace === "string" ? namespace : "", name };
}

function storedStatus(raw: unknown): StoredStatus {
  const { metadata, status } = raw as {
    metadata?: { resourceVersion?: string; generation?: number };
    status?: unknown;
  };
  return {
    resourceVersion: metadata?.resourceVersion ?? "",
    generation: metadata?.generation,
    status: isJsonObject(status) ? status : {},
  };
}

function placeOfObject({ metadata }: KubeObject): string {
  return placeOf(metadata.namespace ?? "", metadata.name);
}

function placeOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
