import { validateDataKeys, validateImmutable } from "./config-map.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { boolean, map, string } from "./schema.ts";

const schema = kubeObject(
  {
    type: string({ default: "Opaque" }),
    data: map(string({ format: "byte" }), { description: "Bytes by key, as base64." }),
    stringData: map(string(), { description: "Texts by key; written into `data` and not kept." }),
    immutable: boolean(),
  },
  "Bytes that are nobody else's business, by key.",
);

/** core/v1 Secret. */
export type Secret = Infer<typeof schema>;

/** The kind `v1 Secret`. */
export const secretKind = defineKind<Secret>({
  group: "",
  versions: ["v1"],
  kind: "Secret",
  plural: "secrets",
  schema,
  printerColumns: [
    { name: "Type", type: "string", cell: (secret) => secret.type ?? "Opaque" },
    { name: "Data", type: "string", cell: (secret) => Object.keys(secret.data ?? {}).length },
    AGE_COLUMN,
  ],
  validateUpdate: validateImmutable,
  validate: (secret) => [
    ...validateDataKeys("data", secret.data),
    ...validateDataKeys("stringData", secret.stringData),
  ],
  defaults: ({ stringData, ...secret }) => {
    if (stringData === undefined) return secret;
    const texts = Object.entries(stringData).map(([key, text]): [string, string] => [
      key,
      Buffer.from(text, "utf8").toString("base64"),
    ]);
    return { ...secret, data: { ...secret.data, ...Object.fromEntries(texts) } };
  },
});
