import { validateGateway } from "./kind/gateway-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { array, integer, map, object, required, string } from "./schema.ts";
import { serverTlsSchema } from "./server-tls.ts";
import { istioStatusSchema } from "./virtual-service.ts";

const server = object({
  name: string({ description: "For statistics." }),
  port: required(
    object({
      number: required(
        integer({
          minimum: 0,
          maximum: 65_535,
          description: "Of the gateway's Service, or of its pods; 0 with a unix socket.",
        }),
      ),
      name: required(string({ minLength: 1 })),
      protocol: required(
        string({ description: "HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, TCP or TLS." }),
      ),
      targetPort: integer({ minimum: 0, maximum: 65_535 }),
    }),
  ),
  bind: string({ description: "An address to listen on, or `unix:///path`; all when absent." }),
  hosts: required(array(string(), { minItems: 1, description: "`host` or `namespace/host`." })),
  tls: serverTlsSchema,
  defaultEndpoint: string({ description: "Where traffic goes that no route takes." }),
});

const schema = kubeObject(
  {
    spec: required(
      object({
        selector: map(string(), { description: "Labels of the gateway's pods." }),
        servers: required(array(server, { minItems: 1 })),
      }),
    ),
    status: istioStatusSchema,
  },
  "Which ports and hosts a gateway's pods serve.",
);

/** networking.istio.io Gateway. */
export type Gateway = Infer<typeof schema>;
/** One entry of `spec.servers`: a port with its hosts. */
export type GatewayServer = Infer<typeof server>;

/** The kind `networking.istio.io Gateway`. */
export const gatewayKind = defineKind<Gateway>({
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "Gateway",
  plural: "gateways",
  shortNames: ["gw"],
  categories: ["istio-io", "networking-istio-io"],
  // VirtualServices name a gateway by it, where a dot would mean a namespace.
  nameFormat: "k8s-short-name",
  schema,
  printerColumns: [AGE_COLUMN],
  validate: validateGateway,
});
