import type { Issue } from "../base/issue.ts";
import { FORMATS, isLabelKey, isLabelValue } from "./format.ts";
import { showJson } from "./json.ts";
import type { KubeObject, ObjectMeta } from "./object.ts";
import type { InferFields, Schema, Typed } from "./schema.ts";
import {
  anything,
  array,
  boolean,
  dateTime,
  integer,
  listMap,
  map,
  object,
  required,
  string,
} from "./schema.ts";

/** Kubernetes' limit for all annotations of one object together. */
const ANNOTATIONS_BYTES_MAX = 256 * 1024;

const int64 = { format: "int64", minimum: 0 } as const;

const fields = {
  name: string({ description: "The name; unique among its kind in its namespace." }),
  generateName: string({ description: "Start of a name that the server completes." }),
  namespace: string({ format: "k8s-short-name", description: "The namespace it lives in." }),
  labels: map(string(), { description: "Marks that selectors select by." }),
  annotations: map(string(), { description: "Notes that nothing selects by." }),
  ownerReferences: listMap(
    ["uid"],
    object({
      apiVersion: required(string({ minLength: 1 })),
      kind: required(string({ minLength: 1 })),
      name: required(string({ minLength: 1 })),
      uid: required(string({ minLength: 1 })),
      controller: boolean(),
      blockOwnerDeletion: boolean(),
    }),
    { description: "What made this object; it goes when the last of them is gone." },
  ),
  finalizers: array(string(), {
    "x-kubernetes-list-type": "set",
    description: "Who has to let go of the object before it is removed.",
  }),
  uid: string({ description: "Given by the server." }),
  resourceVersion: string({ description: "The revision of the last write; given by the server." }),
  generation: integer({ ...int64, description: "Counts changes of the specification." }),
  creationTimestamp: dateTime(),
  deletionTimestamp: dateTime({ description: "Set once the object has been told to go." }),
  deletionGracePeriodSeconds: integer(int64),
  managedFields: array(anything(), { description: "Not kept." }),
  selfLink: string({ description: "Not kept." }),
};

/**
 * `ObjectMeta`, as far as weft keeps it; what a server sets itself is taken and dropped. The name
 * may be absent here: `validateMetadata` asks for it, or for what the server makes it from.
 */
const metadataSchema: Schema = object(fields);

/** `ObjectMeta` of a pod template: labels and annotations count, a name is allowed and unused. */
export const templateMetadataSchema = object({
  name: fields.name,
  generateName: fields.generateName,
  namespace: fields.namespace,
  labels: fields.labels,
  annotations: fields.annotations,
  creationTimestamp: dateTime(),
});

/** A whole object: the fields of its kind beside `apiVersion`, `kind` and `metadata`. */
export function kubeObject<
  const F extends Readonly<Record<string, Schema | { readonly required: Schema }>>,
>(own: F, description: string): Typed<KubeObject & InferFields<F>> {
  return object(
    {
      apiVersion: required(string({ description: "Group and version of the kind." })),
      kind: required(string()),
      metadata: required(metadataSchema as Typed<ObjectMeta>),
      ...own,
    },
    { description },
  ) as Typed<KubeObject & InferFields<F>>;
}

/** What a schema cannot say about metadata: names, the keys and values of labels. */
export function validateMetadata(
  metadata: ObjectMeta,
  { isNamespaced, nameFormat = "k8s-long-name" }: MetadataRules,
): readonly Issue[] {
  const issues: Issue[] = [];
  const { name, generateName, namespace, labels, annotations } = metadata;
  if ((name ?? "") === "") {
    if ((generateName ?? "") === "") issues.push({ path: "metadata.name", message: "is required" });
    else issues.push(...checkName("metadata.generateName", `${generateName}x`, nameFormat));
  } else {
    issues.push(...checkName("metadata.name", name, nameFormat));
  }
  if (!isNamespaced && (namespace ?? "") !== "") {
    const message = `must not be set, this kind lives outside namespaces: got ${showJson(namespace)}`;
    issues.push({ path: "metadata.namespace", message });
  }
  issues.push(...validateLabels("metadata.labels", labels));
  issues.push(...validateAnnotations("metadata.annotations", annotations));
  return issues;
}

/** What differs between kinds about their metadata. */
export interface MetadataRules {
  readonly isNamespaced: boolean;
  /** One of `FORMATS`. */
  readonly nameFormat?: string;
}

/** Labels wherever they stand: metadata, pod templates, selectors, subsets. */
export function validateLabels(
  path: string,
  labels: Readonly<Record<string, string>> | undefined,
): readonly Issue[] {
  const issues: Issue[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!isLabelKey(key)) issues.push({ path, message: mustBe("k8s-label-key", key) });
    if (!isLabelValue(value)) {
      issues.push({ path: `${path}[${key}]`, message: mustBe("k8s-label-value", value) });
    }
  }
  return issues;
}

function validateAnnotations(
  path: string,
  annotations: Readonly<Record<string, string>> | undefined,
): readonly Issue[] {
  const issues: Issue[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    bytes += key.length + value.length;
    if (!isLabelKey(key.toLowerCase()))
      issues.push({ path, message: mustBe("k8s-label-key", key) });
  }
  if (bytes > ANNOTATIONS_BYTES_MAX) {
    issues.push({
      path,
      message: `must have at most ${ANNOTATIONS_BYTES_MAX} bytes: got ${bytes}`,
    });
  }
  return issues;
}

function checkName(path: string, name: string, format: string): readonly Issue[] {
  return FORMATS[format]?.test(name) === false ? [{ path, message: mustBe(format, name) }] : [];
}

function mustBe(format: string, value: string): string {
  return `must be ${FORMATS[format]?.mustBe}: got ${showJson(value)}`;
}
