import { validateServiceEntry } from "./kind/service-entry-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { array, listMap, object, port, required, string } from "./schema.ts";
import { istioStatusSchema } from "./virtual-service.ts";
import { workloadEntrySchema } from "./workload-entry.ts";
import { workloadSelectorSchema } from "./workload-selector.ts";

const servicePort = object({
  number: required(port({ description: "Where clients of the service connect to." })),
  protocol: string({ maxLength: 256, description: "HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS." }),
  name: required(string({ maxLength: 256 })),
  targetPort: port({ description: "Where its endpoints listen; `number` when absent." }),
});

const schema = kubeObject(
  {
    spec: required(
      object({
        hosts: required(
          array(string(), {
            minItems: 1,
            maxItems: 256,
            description: "Names; a wildcard may lead.",
          }),
        ),
        addresses: array(string({ maxLength: 64 }), {
          maxItems: 256,
          description: "Virtual addresses, or CIDR blocks, that clients connect to.",
        }),
        ports: listMap(["name"], servicePort, { maxItems: 256 }),
        location: string({ enum: ["MESH_EXTERNAL", "MESH_INTERNAL"] }),
        resolution: string({ enum: ["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"] }),
        endpoints: array(workloadEntrySchema, { maxItems: 4096 }),
        workloadSelector: workloadSelectorSchema,
        exportTo: array(string(), {
          description: "Namespaces that see it: `*`, `.`, `~` or names.",
        }),
        subjectAltNames: array(string(), { description: "Names that its certificate may have." }),
      }),
    ),
    status: istioStatusSchema,
  },
  "A service that no Service stands for: names, addresses and ports outside of Kubernetes.",
);

/** networking.istio.io ServiceEntry. */
export type ServiceEntry = Infer<typeof schema>;
/** One port of a ServiceEntry. */
export type ServiceEntryPort = Infer<typeof servicePort>;

/** The kind `networking.istio.io ServiceEntry`. */
export const serviceEntryKind = defineKind<ServiceEntry>({
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "ServiceEntry",
  plural: "serviceentries",
  shortNames: ["se"],
  categories: ["istio-io", "networking-istio-io"],
  schema,
  printerColumns: [
    { name: "Hosts", type: "string", cell: ".spec.hosts" },
    { name: "Location", type: "string", cell: ".spec.location" },
    { name: "Resolution", type: "string", cell: ".spec.resolution" },
    AGE_COLUMN,
  ],
  validate: validateServiceEntry,
});
