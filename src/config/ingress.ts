import { validateIngress } from "./kind/ingress-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { array, integer, object, required, string } from "./schema.ts";

const backend = object({
  service: object({
    name: required(string({ description: "A Service in the Ingress's own namespace." })),
    port: object({ name: string(), number: integer() }),
  }),
  resource: object({ apiGroup: string(), kind: required(string()), name: required(string()) }),
});

const path = object({
  path: string({ description: "Starts with `/`; what it takes is for `pathType` to say." }),
  pathType: required(string({ enum: ["Exact", "Prefix", "ImplementationSpecific"] })),
  backend: required(backend),
});

const rule = object({
  host: string({ description: "A name; its first label may be `*`. Absent: every host." }),
  http: object({ paths: required(array(path)) }),
});

const tls = object({
  hosts: array(string()),
  secretName: string({ description: "A Secret in the Ingress's own namespace." }),
});

const schema = kubeObject(
  {
    spec: object({
      ingressClassName: string({ description: "The IngressClass whose controller serves it." }),
      defaultBackend: backend,
      tls: array(tls),
      rules: array(rule),
    }),
    status: object({
      loadBalancer: object({
        ingress: array(
          object({
            ip: string(),
            hostname: string(),
            ports: array(
              object({
                port: required(integer()),
                protocol: required(string()),
                error: string(),
              }),
            ),
          }),
        ),
      }),
    }),
  },
  "Which requests from outside go to which Service.",
);

/** networking.k8s.io/v1 Ingress. */
export type Ingress = Infer<typeof schema>;
/** Where requests go: a port of a Service. */
export type IngressBackend = Infer<typeof backend>;
/** One path of a rule. */
export type IngressPath = Infer<typeof path>;
/** One entry of `spec.tls`. */
export type IngressTls = Infer<typeof tls>;

/** The kind `networking.k8s.io/v1 Ingress`. */
export const ingressKind = defineKind<Ingress>({
  group: "networking.k8s.io",
  versions: ["v1"],
  kind: "Ingress",
  plural: "ingresses",
  shortNames: ["ing"],
  schema,
  printerColumns: [
    { name: "Class", type: "string", cell: ({ spec }) => spec?.ingressClassName ?? "<none>" },
    { name: "Hosts", type: "string", cell: formatHosts },
    { name: "Address", type: "string", cell: formatAddresses },
    {
      name: "Ports",
      type: "string",
      cell: ({ spec }) => ((spec?.tls ?? []).length > 0 ? "80, 443" : "80"),
    },
    AGE_COLUMN,
  ],
  validate: ({ metadata, spec }) => validateIngress(spec ?? {}, metadata.annotations),
});

/** As many as kubectl shows. */
const HOSTS_SHOWN_MAX = 3;

function formatHosts({ spec }: Ingress): string {
  const hosts = (spec?.rules ?? []).map(({ host = "" }) => host).filter((host) => host !== "");
  if (hosts.length === 0) return "*";
  const more = hosts.length - HOSTS_SHOWN_MAX;
  const shown = hosts.slice(0, HOSTS_SHOWN_MAX).join(",");
  return more > 0 ? `${shown} + ${more} more...` : shown;
}

function formatAddresses({ status }: Ingress): string {
  return (status?.loadBalancer?.ingress ?? [])
    .map(({ ip = "", hostname = "" }) => (ip === "" ? hostname : ip))
    .filter((address) => address !== "")
    .join(",");
}
