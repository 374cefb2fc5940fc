import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import { objectReferenceSchema } from "./object-reference.ts";
import type { Infer } from "./schema.ts";
import { anything, array, boolean, integer, map, object, required, string } from "./schema.ts";

const endpoint = object({
  addresses: required(array(string(), { minItems: 1, maxItems: 100 })),
  conditions: object({ ready: boolean(), serving: boolean(), terminating: boolean() }),
  hostname: string({ format: "k8s-short-name" }),
  nodeName: string(),
  zone: string(),
  targetRef: objectReferenceSchema,
  deprecatedTopology: map(string()),
  hints: anything(),
});

const schema = kubeObject(
  {
    addressType: required(string({ enum: ["IPv4", "IPv6", "FQDN"] })),
    endpoints: array(endpoint, { maxItems: 1000 }),
    ports: array(
      object({
        name: string(),
        port: integer({ minimum: 1, maximum: 65_535 }),
        protocol: string({ enum: ["TCP", "UDP", "SCTP"], default: "TCP" }),
        appProtocol: string(),
      }),
      { maxItems: 20_000 },
    ),
  },
  "Some of the addresses where a service is served, with their state.",
);

/** discovery.k8s.io/v1 EndpointSlice. The label `SERVICE_NAME_LABEL` says of which service. */
export type EndpointSlice = Infer<typeof schema>;
/** One endpoint of a slice: a pod, as a rule. */
export type Endpoint = Infer<typeof endpoint>;

/** The label by which a slice belongs to a service. */
export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

/** The kind `discovery.k8s.io/v1 EndpointSlice`. */
export const endpointSliceKind = defineKind<EndpointSlice>({
  group: "discovery.k8s.io",
  versions: ["v1"],
  kind: "EndpointSlice",
  plural: "endpointslices",
  schema,
  printerColumns: [
    { name: "AddressType", type: "string", cell: ({ addressType }) => addressType },
    { name: "Ports", type: "string", cell: formatPorts },
    { name: "Endpoints", type: "string", cell: formatAddresses },
    AGE_COLUMN,
  ],
});

function formatPorts({ ports }: EndpointSlice): string {
  const texts = (ports ?? []).map(({ port }) => String(port ?? "*"));
  return texts.length === 0 ? "<unset>" : texts.join(",");
}

/** As many as kubectl shows. */
const SHOWN_MAX = 3;

function formatAddresses({ endpoints }: EndpointSlice): string {
  const texts = (endpoints ?? []).flatMap(({ addresses }) => addresses);
  if (texts.length === 0) return "<unset>";
  const more = texts.length > SHOWN_MAX ? ` + ${texts.length - SHOWN_MAX} more...` : "";
  return texts.slice(0, SHOWN_MAX).join(",") + more;
}
