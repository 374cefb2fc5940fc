import { isIP } from "node:net";
import type { Issue } from "../base/issue.ts";
import { checkWildcardDomain } from "./host.ts";
import { isSubsetName } from "./kind/virtual-service-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject, validateLabels } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { array, map, object, required, string } from "./schema.ts";
import { trafficPolicySchema } from "./traffic-policy.ts";
import { exportToSchema, istioStatusSchema } from "./virtual-service.ts";
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
/** A named part of a host's endpoints. */
export type Subset = Infer<typeof subset>;

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

function validateDestinationRule({ spec }: DestinationRule): readonly Issue[] {
  const issues: Issue[] = [];
  const wrong = isIP(spec.host) === 0 ? checkWildcardDomain(spec.host) : undefined;
  if (wrong !== undefined) issues.push({ path: "spec.host", message: wrong });
  const names = new Set<string>();
  for (const [at, { name, labels }] of (spec.subsets ?? []).entries()) {
    const path = `spec.subsets[${at}]`;
    if (!isSubsetName(name)) {
      issues.push({ path: `${path}.name`, message: `must be a DNS label: got "${name}"` });
    } else if (names.has(name)) {
      issues.push({ path: `${path}.name`, message: `duplicate of "${name}"` });
    }
    names.add(name);
    issues.push(...validateLabels(`${path}.labels`, labels));
  }
  return issues;
}
