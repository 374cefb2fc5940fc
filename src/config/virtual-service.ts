import type { Issue } from "../base/issue.ts";
import { conditionsSchema } from "./condition.ts";
import { validateVirtualService } from "./kind/virtual-service-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import {
  anything,
  array,
  atMostOne,
  boolean,
  builtFor,
  integer,
  map,
  notBuilt,
  object,
  port,
  required,
  string,
} from "./schema.ts";

const stringMatch = object(
  {
    exact: string({ description: "The whole text, letter case included." }),
    prefix: string({ description: "How the text starts." }),
    regex: string({ description: "The whole text, as an RE2 regular expression." }),
  },
  { ...atMostOne("exact", "prefix", "regex") },
);

const httpMatch = object({
  name: string({ description: "Shown beside the route's name." }),
  uri: stringMatch,
  scheme: stringMatch,
  method: stringMatch,
  authority: stringMatch,
  headers: map(stringMatch, { description: "All must match; `{}` asks for the header alone." }),
  withoutHeaders: map(stringMatch, { description: "None may match." }),
  queryParams: map(stringMatch),
  port: port({ description: "The port that the client asked for." }),
  gateways: array(string(), { description: "Instead of the gateways of the whole object." }),
  ignoreUriCase: boolean(),
  sourceLabels: notBuilt(),
  sourceNamespace: notBuilt(),
  statPrefix: notBuilt(),
});

const destination = object({
  host: required(string({ description: "A service: short name, or with its namespace." })),
  subset: string({ description: "A name that a DestinationRule for the host defines." }),
  port: object({ number: required(port()) }),
});

const httpRouteDestination = object({
  destination: required(destination),
  weight: integer({ description: "Its share of the sum of the weights." }),
  headers: notBuilt(),
});

const httpRoute = object({
  name: string(),
  match: array(httpMatch, { description: "One of them must match; none: every request does." }),
  route: array(httpRouteDestination),
  redirect: notBuilt(),
  directResponse: notBuilt(),
  delegate: notBuilt(),
  rewrite: notBuilt(),
  timeout: notBuilt(),
  retries: notBuilt(),
  fault: notBuilt(),
  mirror: notBuilt(),
  mirrors: notBuilt(),
  mirrorPercent: notBuilt(),
  mirrorPercentage: notBuilt(),
  corsPolicy: notBuilt(),
  headers: notBuilt(),
});

/** `status` of Istio's kinds. */
export const istioStatusSchema = object({
  conditions: conditionsSchema,
  validationMessages: array(anything()),
  observedGeneration: integer({ format: "int64" }),
});

/** `exportTo` of Istio's kinds: every namespace, until visibility is built. */
export const exportToSchema = builtFor(array(string()), [["*"], []]);

const schema = kubeObject(
  {
    spec: required(
      object({
        hosts: array(string(), { description: "The names that clients ask for." }),
        gateways: array(string(), {
          description: '`name` or `namespace/name`; "mesh", the default, is every sidecar.',
        }),
        http: array(httpRoute, { description: "The first that matches decides." }),
        tls: notBuilt(),
        tcp: notBuilt(),
        exportTo: exportToSchema,
      }),
    ),
    status: istioStatusSchema,
  },
  "Where requests for some hosts go.",
);

/** networking.istio.io VirtualService. */
export type VirtualService = Infer<typeof schema>;
/** One rule of `spec.http`. */
export type HttpRoute = Infer<typeof httpRoute>;
/** One alternative of `spec.http[].match`; all that it names must match. */
export type HttpMatch = Infer<typeof httpMatch>;
/** How one text is compared; without any of the three, that it is there is enough. */
export type StringMatch = Infer<typeof stringMatch>;
/** One weighted destination of a rule. */
export type HttpRouteDestination = Infer<typeof httpRouteDestination>;
/** A host, one of its subsets, one of its ports. */
export type Destination = Infer<typeof destination>;

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
  validate: (virtualService): readonly Issue[] => validateVirtualService(virtualService.spec),
});
