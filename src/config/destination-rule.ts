import { exportToSchema } from "./export-to.ts";
import { validateDestinationRule } from "./kind/destination-rule-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { array, map, object, required, string } from "./schema.ts";
import { trafficPolicySchema } from "./traffic-policy.ts";
import { istioStatusSchema } from "./virtual-service.ts";
import { policySelectorSchema } from "./workload-selector.ts";

const subset = object({
  name: required(string({ minLength: 1 })),
  labels: map(string(), { description: "Beside the service's selector." }),
  trafficPolicy: trafficPolicySchema,
});

const schema = kubeObject(
  {
    spec: required(
      object({
        host: required(string({ description: "A service: short name, or with its namespace." })),
        trafficPolicy: trafficPolicySchema,
        subsets: array(subset, { description: "Named parts of the host's endpoints." }),
        exportTo: exportToSchema,
        workloadSelector: policySelectorSchema,
      }),
    ),
    status: istioStatusSchema,
  },
  "What happens to traffic once it is decided where it goes.",
);

/** networking.istio.io DestinationRule. */
export type DestinationRule = Infer<typeof schema>;

/** The kind `networking.istio.io DestinationRule`. */
export const destinationRuleKind = defineKind<DestinationRule>({
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "DestinationRule",
  plural: "destinationrules",
  shortNames: ["dr"],
  categories: ["istio-io", "networking-istio-io"],
  schema,
  printerColumns: [{ name: "Host", type: "string", cell: ".spec.host" }, AGE_COLUMN],
  validate: validateDestinationRule,
});
