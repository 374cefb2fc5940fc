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
import { boolean, integer, intOrString, object, required, string } from "./schema.ts";

const count = integer({ minimum: 0 });

const schema = kubeObject(
  {
    spec: required(
      object({
        replicas: integer({ minimum: 0, default: 1 }),
        selector: required(labelSelectorSchema),
        template: required(podTemplateSchema),
        strategy: object({
          type: string({ enum: ["RollingUpdate", "Recreate"], default: "RollingUpdate" }),
          rollingUpdate: object({
            maxSurge: intOrString({ default: "25%" }),
            maxUnavailable: intOrString({ default: "25%" }),
          }),
        }),
        minReadySeconds: integer({ minimum: 0 }),
        revisionHistoryLimit: integer({ minimum: 0, default: 10 }),
        progressDeadlineSeconds: integer({ minimum: 1, default: 600 }),
        paused: boolean(),
      }),
    ),
    status: object({
      replicas: count,
      updatedReplicas: count,
      readyReplicas: count,
      availableReplicas: count,
      unavailableReplicas: count,
      terminatingReplicas: count,
      collisionCount: count,
      observedGeneration: integer({ format: "int64" }),
      conditions: conditionsSchema,
    }),
  },
  "Keeps pods of one form running, and replaces them step by step when the form changes.",
);

/** apps/v1 Deployment. */
export type Deployment = Infer<typeof schema>;

/** The kind `apps/v1 Deployment`. */
export const deploymentKind = defineKind<Deployment>({
  group: "apps",
  versions: ["v1"],
  kind: "Deployment",
  plural: "deployments",
  shortNames: ["deploy"],
  categories: ["all"],
  schema,
  scale: {
    specReplicas: ".spec.replicas",
    statusReplicas: ".status.replicas",
    selector: ".spec.selector",
  },
  printerColumns: [
    {
      name: "Ready",
      type: "string",
      cell: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`,
    },
    { name: "Up-to-date", type: "integer", cell: ({ status }) => status?.updatedReplicas ?? 0 },
    { name: "Available", type: "integer", cell: ({ status }) => status?.availableReplicas ?? 0 },
    AGE_COLUMN,
    ...POD_TEMPLATE_COLUMNS,
  ],
  validateUpdate: ({ spec }, old) => validateSelectorUpdate(spec.selector, old.spec.selector),
  validate: ({ spec }) => {
    const issues = [...validatePodTemplate(spec.selector, spec.template)];
    if (spec.strategy?.type === "Recreate" && spec.strategy.rollingUpdate !== undefined) {
      issues.push({
        path: "spec.strategy.rollingUpdate",
        message: "may not be set when spec.strategy.type is Recreate",
      });
    }
    return issues;
  },
  defaults: (deployment) => {
    const strategy = deployment.spec.strategy ?? { type: "RollingUpdate" };
    if (strategy.type === "Recreate") return deployment;
    const rollingUpdate = { maxSurge: "25%", maxUnavailable: "25%", ...strategy.rollingUpdate };
    const spec = { ...deployment.spec, strategy: { ...strategy, rollingUpdate } };
    return { ...deployment, spec };
  },
});
