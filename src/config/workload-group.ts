import { validateWorkloadGroup } from "./kind/workload-group-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import {
  array,
  atMostOne,
  integer,
  map,
  noEffect,
  object,
  port,
  required,
  string,
} from "./schema.ts";
import { istioStatusSchema } from "./virtual-service.ts";
import { workloadEntrySchema } from "./workload-entry.ts";

/** `ReadinessProbe`: how a workload of a group is asked whether it is ready. */
export const workloadGroupProbeSchema = object(
  {
    initialDelaySeconds: integer({ minimum: 0 }),
    timeoutSeconds: integer({ minimum: 0, description: "1 when it is 0 or absent." }),
    periodSeconds: integer({ minimum: 0, description: "10 when it is 0 or absent." }),
    successThreshold: integer({ minimum: 0, description: "1 when it is 0 or absent." }),
    failureThreshold: integer({ minimum: 0, description: "3 when it is 0 or absent." }),
    httpGet: object({
      path: string(),
      port: required(port()),
      host: string({ description: "The workload's own address when absent." }),
      scheme: string({ enum: ["", "HTTP", "HTTPS"] }),
      httpHeaders: array(
        object({ name: string({ pattern: "^[-_A-Za-z0-9]+$" }), value: string() }),
      ),
    }),
    tcpSocket: object({ host: string(), port: required(port()) }),
    exec: object({ command: required(array(string({ minLength: 1 }))) }),
    grpc: object({ service: string(), port: port() }),
  },
  atMostOne("httpGet", "tcpSocket", "exec", "grpc"),
);

const NO_REGISTRATION = "machines do not register themselves yet: write a WorkloadEntry for each";

const schema = kubeObject(
  {
    spec: required(
      object({
        metadata: noEffect(
          object({
            labels: map(string(), { maxProperties: 256 }),
            annotations: map(string(), { maxProperties: 256 }),
          }),
          NO_REGISTRATION,
        ),
        template: required(noEffect(workloadEntrySchema, NO_REGISTRATION)),
        probe: noEffect(workloadGroupProbeSchema, NO_REGISTRATION),
      }),
    ),
    status: istioStatusSchema,
  },
  "What the WorkloadEntry of every machine of a group is made from when it registers.",
);

/** networking.istio.io WorkloadGroup. */
export type WorkloadGroup = Infer<typeof schema>;
/** How a workload of a group is asked whether it is ready. */
export type WorkloadGroupProbe = Infer<typeof workloadGroupProbeSchema>;

/** The kind `networking.istio.io WorkloadGroup`. */
export const workloadGroupKind = defineKind<WorkloadGroup>({
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "WorkloadGroup",
  plural: "workloadgroups",
  shortNames: ["wg"],
  categories: ["istio-io", "networking-istio-io"],
  schema,
  printerColumns: [AGE_COLUMN],
  validate: ({ spec }) => validateWorkloadGroup(spec),
});
