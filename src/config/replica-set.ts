import { conditionsSchema } from "./condition.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { labelSelectorSchema } from "./label-selector.ts";
import { kubeObject } from "./metadata.ts";
import {
  POD_TEMPLATE_COLUMNS,
  podTemplateSchema,
  validatePodTemplate,
  validateSelectorUpdate,
} from "./pod-template.ts";
import type { Infer } from "./schema.ts";
import { integer, object, required } from "./schema.ts";

const count = integer({ minimum: 0 });

const schema = kubeObject(
  {
    spec: required(
      object({
        replicas: integer({ minimum: 0, default: 1 }),
        minReadySeconds: integer({ minimum: 0 }),
        selector: required(labelSelectorSchema),
        template: required(podTemplateSchema),
      }),
    ),
    status: object({
      replicas: count,
      readyReplicas: count,
      availableReplicas: count,
      fullyLabeledReplicas: count,
      terminatingReplicas: count,
      observedGeneration: integer({ format: "int64" }),
      conditions: conditionsSchema,
    }),
  },
  "Keeps a number of pods of one form running.",
);

/** apps/v1 ReplicaSet. */
export type ReplicaSet = Infer<typeof schema>;

/** The kind `apps/v1 ReplicaSet`. */
export const replicaSetKind = defineKind<ReplicaSet>({
  group: "apps",
  versions: ["v1"],
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  schema,
  scale: {
    specReplicas: ".spec.replicas",
    statusReplicas: ".status.replicas",
    selector: ".spec.selector",
  },
  printerColumns: [
    { name: "Desired", type: "integer", cell: ({ spec }) => spec.replicas ?? 1 },
    { name: "Current", type: "integer", cell: ({ status }) => status?.replicas ?? 0 },
    { name: "Ready", type: "integer", cell: ({ status }) => status?.readyReplicas ?? 0 },
    AGE_COLUMN,
    ...POD_TEMPLATE_COLUMNS,
  ],
  validateUpdate: ({ spec }, old) => validateSelectorUpdate(spec.selector, old.spec.selector),
  validate: ({ spec }) => validatePodTemplate(spec.selector, spec.template),
});
