import { conditionsSchema } from "./condition.ts";
import { exportToSchema } from "./export-to.ts";
import { httpRouteSchema } from "./http-route.ts";
import { validateVirtualService } from "./kind/virtual-service-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { tcpRouteSchema, tlsRouteSchema } from "./l4-route.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { anything, array, integer, object, required, string } from "./schema.ts";

/** `status` of Istio's kinds. */
export const istioStatusSchema = object({
  conditions: conditionsSchema,
  validationMessages: array(anything()),
  observedGeneration: integer({ format: "int64" }),
});

const schema = kubeObject(
  {
    spec: required(
      object({
        hosts: array(string(), { description: "The names that clients ask for." }),
        gateways: array(string(), {
          description: '`name` or `namespace/name`; "mesh", the default, is every sidecar.',
        }),
        http: array(httpRouteSchema, { description: "The first that matches decides." }),
        tls: array(tlsRouteSchema, { description: "For TLS that is not opened, by SNI." }),
        tcp: array(tcpRouteSchema, { description: "For what is neither HTTP nor TLS." }),
        exportTo: exportToSchema,
      }),
    ),
    status: istioStatusSchema,
  },
  "Where requests for some hosts go.",
);

/** networking.istio.io VirtualService. */
export type VirtualService = Infer<typeof schema>;
/** The kind `networking.istio.io VirtualService`. */
export const virtualServiceKind = defineKind<VirtualService>({
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "VirtualService",
  plural: "virtualservices",
  shortNames: ["vs"],
  categories: ["istio-io", "networking-istio-io"],
  schema,
  printerColumns: [
    { name: "Gateways", type: "string", cell: ".spec.gateways" },
    { name: "Hosts", type: "string", cell: ".spec.hosts" },
    AGE_COLUMN,
  ],
  validate: validateVirtualService,
});
