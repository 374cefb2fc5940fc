import { groupOf, type KubeObject, keyOf, keyText, type ObjectKey } from "../config/object.ts";
import type { ConfigView } from "./store.ts";

/** Where an object came from, as its source tells it; the store only keeps it. */
export interface StoredOrigin {
  readonly file: string;
  readonly line: number;
}

/** One change of one object; `ConfigEvent` of the sources is this. */
export type StoreEvent =
  | { readonly type: "set"; readonly object: KubeObject; readonly origin?: StoredOrigin }
  | { readonly type: "delete"; readonly key: ObjectKey };

/** What one batch made of the configuration. */
export interface StoreChange {
  readonly view: ConfigView;
  /** Keys whose object is another one now, or gone; each once, in order of their text. */
  readonly changed: readonly ObjectKey[];
}

/** Objects of one kind by namespace; both levels are replaced, never changed. */
type KindObjects = ReadonlyMap<string, readonly KubeObject[]>;

/**
 * Holds all configuration of one mesh and hands it on as immutable views.
 *
 * The view does not depend on the order in which objects came. Lists that a batch did not touch
 * keep their identity from view to view, which is what everything derived from them is
 * remembered by. An object that is set to an equal value is no change, and neither is what only a
 * control plane writes into it (see `isSameObject`).
 */
export class ConfigStore {
  #kinds: ReadonlyMap<string, KindObjects> = new Map();
  #view: ConfigView = createView(this.#kinds);
  readonly #origins = new Map<string, StoredOrigin>();

  /** The configuration as it stands. */
  get view(): ConfigView {
    return this.#view;
  }

  /** The file and line of an object, when its source has such; beside the view, so that a moved line changes nothing. */
  origin(key: ObjectKey): StoredOrigin | undefined {
    return this.#origins.get(keyText(key));
  }

  /** Applies the events as one step; a later event on a key wins over an earlier one. */
  apply(batch: { readonly events: readonly StoreEvent[] }): StoreChange {
    const kinds = new Map(this.#kinds);
    const changed = new Map<string, ObjectKey>();
    for (const [text, event] of lastPerKey(batch.events)) {
      const key = event.type === "set" ? keyOf(event.object) : event.key;
      if (event.type === "set" && event.origin !== undefined) this.#origins.set(text, event.origin);
      else this.#origins.delete(text);
      const kind = `${key.group}/${key.kind}`;
      const before = kinds.get(kind) ?? new Map();
      const after = put(before, key, event.type === "set" ? event.object : undefined);
      if (after === before) continue;
      kinds.set(kind, after);
      changed.set(text, key);
    }
    if (changed.size > 0) {
      this.#kinds = kinds;
      this.#view = createView(kinds);
    }
    return {
      view: this.#view,
      changed: [...changed].sort(([a], [b]) => compareText(a, b)).map(([, key]) => key),
    };
  }
}

function lastPerKey(events: readonly StoreEvent[]): ReadonlyMap<string, StoreEvent> {
  const last = new Map<string, StoreEvent>();
  for (const event of events) {
    last.set(keyText(event.type === "set" ? keyOf(event.object) : event.key), event);
  }
  return last;
}

/** The kind with one object put, replaced or (when `undefined`) taken out; the same map if equal. */
function put(kind: KindObjects, key: ObjectKey, object: KubeObject | undefined): KindObjects {
  const list = kind.get(key.namespace) ?? [];
  const index = findIndex(list, key.name);
  const found = list[index];
  const current = found?.metadata.name === key.name ? found : undefined;
  if (object === undefined ? current === undefined : isSameObject(current, object)) return kind;
  const next = list.slice();
  next.splice(index, current === undefined ? 0 : 1, ...(object === undefined ? [] : [object]));
  const kinds = new Map(kind);
  if (next.length === 0) kinds.delete(key.namespace);
  else kinds.set(key.namespace, next);
  return kinds;
}

/** The index of a name in a sorted list, or of the place where it belongs. */
function findIndex(list: readonly KubeObject[], name: string): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle]?.metadata.name ?? "") < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

function createView(kinds: ReadonlyMap<string, KindObjects>): ConfigView {
  return {
    list<T extends KubeObject>(group: string, kind: string, namespace?: string): readonly T[] {
      const objects = kinds.get(`${group}/${kind}`);
      if (objects === undefined) return NONE as readonly T[];
      const list = namespace === undefined ? concatenated(objects) : objects.get(namespace);
      return (list ?? NONE) as readonly T[];
    },
    get<T extends KubeObject>({ group, kind, namespace, name }: ObjectKey): T | undefined {
      const list = kinds.get(`${group}/${kind}`)?.get(namespace) ?? NONE;
      const found = list[findIndex(list, name)];
      return found?.metadata.name === name ? (found as T) : undefined;
    },
  };
}

const NONE: readonly KubeObject[] = [];

const concatenations = new WeakMap<KindObjects, readonly KubeObject[]>();

/** All namespaces in order; computed once per state of a kind. */
function concatenated(objects: KindObjects): readonly KubeObject[] {
  let list = concatenations.get(objects);
  if (list === undefined) {
    const namespaces = [...objects.keys()].sort(compareText);
    list = namespaces.flatMap((namespace) => objects.get(namespace) ?? []);
    concatenations.set(objects, list);
  }
  return list;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Whether two versions of an object mean the same. Of Istio's kinds `status` is what control planes
 * say about them, so that it shapes nothing, and a write of it must not make them look again; only
 * a WorkloadEntry's says whether it is healthy.
 */
function isSameObject(a: KubeObject | undefined, b: KubeObject): boolean {
  const isSaidOnly = groupOf(b.apiVersion).endsWith(".istio.io") && b.kind !== "WorkloadEntry";
  return isSaidOnly ? isEqual(withoutStatus(a), withoutStatus(b)) : isEqual(a, b);
}

function withoutStatus(object: KubeObject | undefined): unknown {
  if (object === undefined) return undefined;
  const { status: _status, ...rest } = object as KubeObject & { readonly status?: unknown };
  const { resourceVersion: _version, ...metadata } = rest.metadata;
  return { ...rest, metadata };
}

/** Whether two values are the same JSON; the order of keys does not matter. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((element, index) => isEqual(element, b[index]));
  }
  const keysA = Object.keys(a);
  if (keysA.length !== Object.keys(b).length) return false;
  return keysA.every(
    (key) =>
      Object.hasOwn(b, key) &&
      isEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
  );
}

/** A view of a fixed set of objects, for checks and tests that need no store. */
export function viewOf(objects: readonly KubeObject[]): ConfigView {
  const store = new ConfigStore();
  return store.apply({ events: objects.map((object) => ({ type: "set", object })) }).view;
}
