import { validateIngressClass } from "./kind/ingress-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { noEffect, object, required, string } from "./schema.ts";

const schema = kubeObject(
  {
    spec: object({
      controller: string({
        maxLength: 250,
        description: "`istio.io/ingress-controller` is this mesh.",
      }),
      parameters: noEffect(
        object({
          apiGroup: string(),
          kind: required(string({ minLength: 1 })),
          name: required(string({ minLength: 1 })),
          namespace: string(),
          scope: string({ enum: ["Cluster", "Namespace"], default: "Cluster" }),
        }),
        "this mesh's controller has no parameters",
      ),
    }),
  },
  "Whose controller serves the Ingresses that name it.",
);

/** networking.k8s.io/v1 IngressClass. */
export type IngressClass = Infer<typeof schema>;

/** The kind `networking.k8s.io/v1 IngressClass`. */
export const ingressClassKind = defineKind<IngressClass>({
  group: "networking.k8s.io",
  versions: ["v1"],
  kind: "IngressClass",
  plural: "ingressclasses",
  isNamespaced: false,
  schema,
  printerColumns: [
    { name: "Controller", type: "string", cell: ({ spec }) => spec?.controller ?? "" },
    { name: "Parameters", type: "string", cell: formatParameters },
    AGE_COLUMN,
  ],
  validate: ({ spec }) => validateIngressClass(spec),
  validateUpdate: ({ spec }, { spec: old }) =>
    spec?.controller === old?.controller
      ? []
      : [
          {
            path: "spec.controller",
            message: `may not be changed: it is "${old?.controller ?? ""}"`,
          },
        ],
});

function formatParameters({ spec }: IngressClass): string {
  const { parameters } = spec ?? {};
  if (parameters === undefined) return "<none>";
  const { apiGroup = "", kind, name } = parameters;
  return `${kind}${apiGroup === "" ? "" : `.${apiGroup}`}/${name}`;
}
