import { conditionsSchema } from "./condition.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { array, object, string } from "./schema.ts";

const schema = kubeObject(
  {
    spec: object({ finalizers: array(string()) }),
    status: object({
      phase: string({ enum: ["Active", "Terminating"] }),
      conditions: conditionsSchema,
    }),
  },
  "A room for objects: names are unique in it, and all that is in it goes when it goes.",
);

/** core/v1 Namespace. */
export type Namespace = Infer<typeof schema>;

/** The kind `v1 Namespace`. */
export const namespaceKind = defineKind<Namespace>({
  group: "",
  versions: ["v1"],
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  isNamespaced: false,
  nameFormat: "k8s-short-name",
  schema,
  initialStatus: { phase: "Active" },
  printerColumns: [
    { name: "Status", type: "string", cell: (namespace) => namespace.status?.phase ?? "Active" },
    AGE_COLUMN,
  ],
});
