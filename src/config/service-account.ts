import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { boolean, listMap, noEffect, object, required, string } from "./schema.ts";

const schema = kubeObject(
  {
    secrets: noEffect(
      listMap(["name"], object({ name: required(string()), namespace: string(), kind: string() })),
      "no tokens are kept in secrets",
    ),
    imagePullSecrets: noEffect(
      listMap(["name"], object({ name: required(string()) })),
      "images are mapped to local commands, none is pulled",
    ),
    automountServiceAccountToken: noEffect(boolean(), "no token is mounted"),
  },
  "An identity for pods: their certificates carry its name.",
);

/** core/v1 ServiceAccount. */
export type ServiceAccount = Infer<typeof schema>;

/** The kind `v1 ServiceAccount`. */
export const serviceAccountKind = defineKind<ServiceAccount>({
  group: "",
  versions: ["v1"],
  kind: "ServiceAccount",
  plural: "serviceaccounts",
  shortNames: ["sa"],
  schema,
  printerColumns: [
    { name: "Secrets", type: "string", cell: (account) => account.secrets?.length ?? 0 },
    AGE_COLUMN,
  ],
});
