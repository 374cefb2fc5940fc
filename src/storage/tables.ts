import type { KubeObject, ObjectKey } from "../config/object.ts";
import { groupOf, keyOf, keyText } from "../config/object.ts";
import type { StorageSelector } from "./storage.ts";

interface Table {
  readonly objects: Map<string, KubeObject>;
  /** In order; made when it is asked for and forgotten by every write. */
  sorted: readonly KubeObject[] | undefined;
}

/** Objects in memory, found by key, kind, namespace, uid and owner. */
export class Tables {
  readonly #tables = new Map<string, Table>();
  readonly #byUid = new Map<string, KubeObject>();
  readonly #dependents = new Map<string, Map<string, ObjectKey>>();

  get(key: ObjectKey): KubeObject | undefined {
    return this.#tables.get(tableName(key))?.objects.get(keyText(key));
  }

  /** Whether some object has that uid. */
  hasUid(uid: string): boolean {
    return this.#byUid.has(uid);
  }

  list({ group, kind, namespace }: StorageSelector): readonly KubeObject[] {
    const table = this.#tables.get(tableName({ group, kind }));
    if (table === undefined) return [];
    table.sorted ??= [...table.objects.values()].toSorted(byNamespaceAndName);
    if (namespace === undefined) return table.sorted;
    return table.sorted.filter(({ metadata }) => (metadata.namespace ?? "") === namespace);
  }

  /** Everything in a namespace, of whatever kind. */
  inNamespace(namespace: string): readonly KubeObject[] {
    return [...this.#tables.values()].flatMap(({ objects }) =>
      [...objects.values()].filter(({ metadata }) => metadata.namespace === namespace),
    );
  }

  /** What names the object of that uid as its owner. */
  dependentsOf(uid: string): readonly KubeObject[] {
    return [...(this.#dependents.get(uid)?.values() ?? [])].flatMap((key) => this.get(key) ?? []);
  }

  set(object: KubeObject): void {
    const key = keyOf(object);
    const text = keyText(key);
    const old = this.get(key);
    if (old !== undefined) this.#unlink(old, text);
    const table = this.#table({ group: key.group, kind: key.kind });
    table.objects.set(text, object);
    table.sorted = undefined;
    const { uid, ownerReferences } = object.metadata;
    if (uid !== undefined) this.#byUid.set(uid, object);
    for (const owner of ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid) ?? new Map<string, ObjectKey>();
      dependents.set(text, key);
      this.#dependents.set(owner.uid, dependents);
    }
  }

  remove(object: KubeObject): void {
    const key = keyOf(object);
    const text = keyText(key);
    const table = this.#table(key);
    table.objects.delete(text);
    table.sorted = undefined;
    this.#unlink(object, text);
  }

  #unlink(object: KubeObject, text: string): void {
    const { uid, ownerReferences } = object.metadata;
    if (uid !== undefined) this.#byUid.delete(uid);
    for (const owner of ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(text);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
  }

  #table(of: Pick<ObjectKey, "group" | "kind">): Table {
    const name = tableName(of);
    const table = this.#tables.get(name) ?? { objects: new Map(), sorted: undefined };
    this.#tables.set(name, table);
    return table;
  }
}

/** Whether an object is of the kind and in the namespace that a selector names. */
export function isSelected(object: KubeObject, selector: StorageSelector): boolean {
  return (
    object.kind === selector.kind &&
    groupOf(object.apiVersion) === selector.group &&
    (selector.namespace === undefined || (object.metadata.namespace ?? "") === selector.namespace)
  );
}

function tableName({ group, kind }: Pick<ObjectKey, "group" | "kind">): string {
  return `${group}/${kind}`;
}

function byNamespaceAndName({ metadata: a }: KubeObject, { metadata: b }: KubeObject): number {
  return compare(a.namespace ?? "", b.namespace ?? "") || compare(a.name, b.name);
}

/** By code units: the same on every machine, whatever its language. */
function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
