import type { Issue } from "../base/issue.ts";
import type { JsonObject } from "./json.ts";
import type { KubeObject } from "./object.ts";
import type { Schema } from "./schema.ts";

/** One column of a table, as `kubectl get` prints it. */
export interface PrinterColumn {
  /** Upper case comes from kubectl; `Ready` here. */
  readonly name: string;
  readonly type: "string" | "integer" | "date" | "boolean";
  readonly description?: string;
  /** Above 0: shown with `-o wide` only. */
  readonly priority?: number;
  /** What stands in the cell: text, a number, or a field's path (`.spec.hosts`) to read it from. */
  readonly cell: string | ((object: KubeObject) => string | number);
}

/** Where a kind keeps its number of replicas, for the scale subresource; paths as `.spec.replicas`. */
export interface ScalePaths {
  readonly specReplicas: string;
  readonly statusReplicas: string;
  readonly selector: string;
}

/**
 * One kind of configuration, once: its names, the schema that types and documentation are derived
 * from, and the rules that a schema cannot say.
 */
export interface Kind {
  readonly group: string;
  /** The preferred one first; all have the same shape. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isNamespaced: boolean;
  /** What names look like: one of `FORMATS`. */
  readonly nameFormat: string;
  /** The whole object, `apiVersion`, `kind` and `metadata` included. */
  readonly schema: Schema;
  readonly hasStatus: boolean;
  /** `status` of an object that a client has just created. */
  readonly initialStatus?: JsonObject;
  readonly scale?: ScalePaths;
  readonly printerColumns: readonly PrinterColumn[];
  /** Whose kind it is, for messages: a field that is not built is "known to Istio". */
  readonly origin: "Kubernetes" | "Istio";
  /** Rules across fields; only asked about objects that their schema accepts. */
  readonly validate?: (object: KubeObject) => readonly Issue[];
  /** What may not change any more; only asked about objects that `validate` accepts. */
  readonly validateUpdate?: (object: KubeObject, old: KubeObject) => readonly Issue[];
  /** Takes over from the old object what a server had filled in and an update leaves out. */
  readonly carryOver?: (object: KubeObject, old: KubeObject) => KubeObject;
  /** Fills in what depends on other fields, after the schema's own defaults. */
  readonly defaults?: (object: KubeObject) => KubeObject;
}

/** What a kind's file says; the rest follows from it. */
export interface KindOptions<T extends KubeObject> {
  readonly group: string;
  readonly versions: readonly string[];
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly isNamespaced?: boolean;
  readonly nameFormat?: string;
  readonly schema: Schema;
  readonly initialStatus?: JsonObject;
  readonly scale?: ScalePaths;
  readonly printerColumns?: readonly PrinterColumnOf<T>[];
  readonly validate?: (object: T) => readonly Issue[];
  readonly validateUpdate?: (object: T, old: T) => readonly Issue[];
  readonly carryOver?: (object: T, old: T) => T;
  readonly defaults?: (object: T) => T;
}

type PrinterColumnOf<T extends KubeObject> = Omit<PrinterColumn, "cell"> & {
  readonly cell: string | ((object: T) => string | number);
};

/**
 * A kind from its table. `T` is the type that its schema infers: the functions are only called with
 * objects that the schema accepted.
 */
export function defineKind<T extends KubeObject>(options: KindOptions<T>): Kind {
  const { group, schema, initialStatus, scale, validate, validateUpdate, carryOver, defaults } =
    options;
  return {
    group,
    versions: options.versions,
    kind: options.kind,
    listKind: `${options.kind}List`,
    plural: options.plural,
    singular: options.kind.toLowerCase(),
    shortNames: options.shortNames ?? [],
    categories: options.categories ?? [],
    isNamespaced: options.isNamespaced ?? true,
    nameFormat: options.nameFormat ?? "k8s-long-name",
    schema,
    hasStatus: schema.properties?.["status"] !== undefined,
    ...(initialStatus === undefined ? {} : { initialStatus }),
    ...(scale === undefined ? {} : { scale }),
    printerColumns: (options.printerColumns ?? []).map(({ cell, ...column }) => ({
      ...column,
      cell: typeof cell === "string" ? cell : (object) => cell(object as T),
    })),
    origin: group.endsWith(".istio.io") ? "Istio" : "Kubernetes",
    ...(validate === undefined ? {} : { validate: (object) => validate(object as T) }),
    ...(validateUpdate === undefined
      ? {}
      : { validateUpdate: (object, old) => validateUpdate(object as T, old as T) }),
    ...(carryOver === undefined
      ? {}
      : { carryOver: (object, old) => carryOver(object as T, old as T) }),
    ...(defaults === undefined ? {} : { defaults: (object) => defaults(object as T) }),
  };
}

/** `apiVersion` of a kind's preferred version: `v1`, `networking.istio.io/v1`. */
export function apiVersionOf({ group, versions }: Pick<Kind, "group" | "versions">): string {
  const version = versions[0] ?? "v1";
  return group === "" ? version : `${group}/${version}`;
}

/** How long the object has been there; the API writes a `date` as kubectl's `5m`. */
export const AGE_COLUMN: PrinterColumn = {
  name: "Age",
  type: "date",
  cell: ".metadata.creationTimestamp",
};
