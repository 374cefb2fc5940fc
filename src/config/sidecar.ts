import { connectionPoolSchema } from "./connection-pool.ts";
import { destinationSchema } from "./destination.ts";
import { validateSidecar } from "./kind/sidecar-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { array, integer, object, required, string } from "./schema.ts";
import { serverTlsSchema } from "./server-tls.ts";
import { istioStatusSchema } from "./virtual-service.ts";
import { workloadSelectorSchema } from "./workload-selector.ts";

const sidecarPort = object({
  number: integer({ minimum: 0, maximum: 65_535, description: "0 with a unix socket." }),
  protocol: string({ description: "HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP, TLS." }),
  name: string(),
  targetPort: integer({
    minimum: 0,
    maximum: 65_535,
    description: "Has no effect in Istio either.",
  }),
});

const captureMode = string({ enum: ["DEFAULT", "IPTABLES", "NONE"] });

const ingressListener = object({
  port: required(sidecarPort),
  bind: string({ description: "The address to listen on; not with captured traffic." }),
  captureMode,
  defaultEndpoint: string({
    description: "`127.0.0.1:PORT`, `0.0.0.0:PORT`, `[::1]:PORT`, `[::]:PORT` or `unix:///path`.",
  }),
  tls: serverTlsSchema,
  connectionPool: connectionPoolSchema,
});

const egressListener = object({
  port: sidecarPort,
  bind: string({ description: "An address to listen on, or `unix:///path`." }),
  captureMode,
  hosts: required(
    array(string(), { description: "`namespace/host`; namespace `*`, `.`, `~` too." }),
  ),
});

const outboundTrafficPolicy = object({
  mode: string({ enum: ["REGISTRY_ONLY", "ALLOW_ANY"] }),
  egressProxy: destinationSchema,
});

const schema = kubeObject(
  {
    spec: required(
      object({
        workloadSelector: workloadSelectorSchema,
        ingress: array(ingressListener),
        egress: array(egressListener),
        inboundConnectionPool: connectionPoolSchema,
        outboundTrafficPolicy,
      }),
    ),
    status: istioStatusSchema,
  },
  "What sidecars listen on, and which services they know.",
);

/** networking.istio.io Sidecar. */
export type Sidecar = Infer<typeof schema>;
/** One entry of `spec.ingress`. */
export type IstioIngressListener = Infer<typeof ingressListener>;
/** One entry of `spec.egress`. */
export type IstioEgressListener = Infer<typeof egressListener>;
/** The port of a listener. */
export type SidecarPort = Infer<typeof sidecarPort>;
/** What happens to connections that no service is known for. */
export type OutboundTrafficPolicy = Infer<typeof outboundTrafficPolicy>;

/** The kind `networking.istio.io Sidecar`. */
export const sidecarKind = defineKind<Sidecar>({
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "Sidecar",
  plural: "sidecars",
  categories: ["istio-io", "networking-istio-io"],
  schema,
  printerColumns: [AGE_COLUMN],
  validate: validateSidecar,
});
