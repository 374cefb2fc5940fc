import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import { objectReferenceSchema } from "./object-reference.ts";
import type { Infer } from "./schema.ts";
import { array, object, port, required, string } from "./schema.ts";

const address = object({
  ip: required(string({ format: "ip" })),
  hostname: string(),
  nodeName: string(),
  targetRef: objectReferenceSchema,
});

const schema = kubeObject(
  {
    subsets: array(
      object({
        addresses: array(address),
        notReadyAddresses: array(address),
        ports: array(
          object({
            name: string(),
            port: required(port()),
            protocol: string({ enum: ["TCP", "UDP", "SCTP"], default: "TCP" }),
            appProtocol: string(),
          }),
        ),
      }),
    ),
  },
  "Where a service is served; EndpointSlice is its successor.",
);

/** core/v1 Endpoints. */
export type Endpoints = Infer<typeof schema>;

/** The kind `v1 Endpoints`. */
export const endpointsKind = defineKind<Endpoints>({
  group: "",
  versions: ["v1"],
  kind: "Endpoints",
  plural: "endpoints",
  shortNames: ["ep"],
  schema,
  printerColumns: [{ name: "Endpoints", type: "string", cell: formatEndpoints }, AGE_COLUMN],
});

/** As many as kubectl shows. */
const SHOWN_MAX = 3;

function formatEndpoints({ subsets }: Endpoints): string {
  const texts = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    addresses.flatMap(({ ip }) =>
      ports.length === 0 ? [ip] : ports.map(({ port: number }) => `${ip}:${number}`),
    ),
  );
  if (texts.length === 0) return "<none>";
  const more = texts.length > SHOWN_MAX ? ` + ${texts.length - SHOWN_MAX} more...` : "";
  return texts.slice(0, SHOWN_MAX).join(",") + more;
}
