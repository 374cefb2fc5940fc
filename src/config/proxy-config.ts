import { validateSelector } from "./kind/selector-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { integer, map, noEffect, object, string } from "./schema.ts";
import { istioStatusSchema } from "./virtual-service.ts";
import { policySelectorSchema } from "./workload-selector.ts";

const schema = kubeObject(
  {
    spec: object({
      selector: policySelectorSchema,
      concurrency: noEffect(
        integer({ minimum: 0, nullable: true, description: "0: one per core." }),
        "a proxy of weft has one thread",
        [1],
      ),
      environmentVariables: noEffect(
        map(string({ maxLength: 2048 })),
        "proxies are told by whoever starts them",
      ),
      image: noEffect(
        object({ imageType: string({ description: "default, debug or distroless." }) }),
        "proxies are not containers here",
      ),
    }),
    status: istioStatusSchema,
  },
  "How the proxies of some workloads are started.",
);

/** networking.istio.io ProxyConfig; that of the mesh is `ProxyConfigSettings`. */
export type ProxyConfig = Infer<typeof schema>;

/** The kind `networking.istio.io ProxyConfig`. */
export const proxyConfigKind = defineKind<ProxyConfig>({
  group: "networking.istio.io",
  versions: ["v1beta1"],
  kind: "ProxyConfig",
  plural: "proxyconfigs",
  categories: ["istio-io", "networking-istio-io"],
  schema,
  printerColumns: [AGE_COLUMN],
  validate: ({ spec }) =>
    spec?.selector === undefined
      ? []
      : validateSelector(spec.selector.matchLabels, "spec.selector.matchLabels"),
});
