import type { Issue } from "../base/issue.ts";
import { isSameJson } from "./json.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { boolean, map, string } from "./schema.ts";

const schema = kubeObject(
  {
    data: map(string(), { description: "Texts by key." }),
    binaryData: map(string({ format: "byte" }), { description: "Bytes by key, as base64." }),
    immutable: boolean(),
  },
  "Configuration for programs: texts by key.",
);

/** core/v1 ConfigMap. */
export type ConfigMap = Infer<typeof schema>;

/** The kind `v1 ConfigMap`. */
export const configMapKind = defineKind<ConfigMap>({
  group: "",
  versions: ["v1"],
  kind: "ConfigMap",
  plural: "configmaps",
  shortNames: ["cm"],
  schema,
  printerColumns: [
    { name: "Data", type: "string", cell: (configMap) => sizeOf(configMap) },
    AGE_COLUMN,
  ],
  validateUpdate: validateImmutable,
  validate: (configMap) => [
    ...validateDataKeys("data", configMap.data),
    ...validateDataKeys("binaryData", configMap.binaryData),
  ],
});

function sizeOf({ data, binaryData }: ConfigMap): number {
  return Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length;
}

/** Keys of a ConfigMap or a Secret: they become file names. */
export function validateDataKeys(
  path: string,
  data: Readonly<Record<string, string>> | undefined,
): readonly Issue[] {
  return Object.keys(data ?? {})
    .filter((key) => !/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === "." || key.startsWith(".."))
    .map((key) => ({
      path: `${path}[${key}]`,
      message: `a key must have only letters, digits, "-", "_" and ".": got ${JSON.stringify(key)}`,
    }));
}

/** `immutable: true` holds until the object is deleted. */
export function validateImmutable<T extends { readonly immutable?: boolean }>(
  object: T & ImmutableFields,
  old: T & ImmutableFields,
): readonly Issue[] {
  if (old.immutable !== true) return [];
  const fields = ["immutable", "data", "binaryData", "type"] as const;
  return fields
    .filter((field) => !isSameJson(object[field], old[field]))
    .map((path) => ({ path, message: "may not be changed, the object is immutable" }));
}

interface ImmutableFields {
  readonly data?: unknown;
  readonly binaryData?: unknown;
  readonly type?: unknown;
}
