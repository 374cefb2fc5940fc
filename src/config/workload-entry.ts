import { validateWorkloadEntry } from "./kind/workload-entry-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { integer, map, noEffect, object, required, string } from "./schema.ts";
import { istioStatusSchema } from "./virtual-service.ts";

/** A workload outside of Kubernetes, as WorkloadEntry, WorkloadGroup and ServiceEntry describe it. */
export const workloadEntrySchema = object({
  address: string({
    maxLength: 256,
    description: "An IP address, a DNS name, or `unix://` with a path; absent: by the network.",
  }),
  ports: map(integer({ format: "int64", minimum: 0, maximum: 4_294_967_295 }), {
    maxProperties: 128,
    description: "Where it listens, by the name of the service's port.",
  }),
  labels: map(string(), { maxProperties: 256 }),
  network: noEffect(
    string({ maxLength: 2048 }),
    "several networks are not built yet: all endpoints are reached directly",
    [""],
  ),
  locality: string({ maxLength: 2048, description: "`region/zone/subzone`." }),
  weight: integer({ format: "int64", minimum: 0, maximum: 4_294_967_295 }),
  serviceAccount: string({ maxLength: 253 }),
});

const schema = kubeObject(
  { spec: required(workloadEntrySchema), status: istioStatusSchema },
  "A workload that no Pod stands for, a virtual machine for example.",
);

/** networking.istio.io WorkloadEntry. */
export type WorkloadEntry = Infer<typeof schema>;
/** `spec` of a WorkloadEntry; `spec.endpoints[]` of a ServiceEntry. */
export type WorkloadEntrySpec = Infer<typeof workloadEntrySchema>;

/** The kind `networking.istio.io WorkloadEntry`. */
export const workloadEntryKind = defineKind<WorkloadEntry>({
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "WorkloadEntry",
  plural: "workloadentries",
  shortNames: ["we"],
  categories: ["istio-io", "networking-istio-io"],
  schema,
  printerColumns: [AGE_COLUMN, { name: "Address", type: "string", cell: ".spec.address" }],
  validate: ({ spec }) => validateWorkloadEntry(spec, "spec"),
});
