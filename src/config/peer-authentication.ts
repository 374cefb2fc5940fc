import { validatePeerAuthentication } from "./kind/peer-authentication-rules.ts";
import { AGE_COLUMN, defineKind } from "./kind.ts";
import { kubeObject } from "./metadata.ts";
import type { Infer } from "./schema.ts";
import { map, object, string } from "./schema.ts";
import { istioStatusSchema } from "./virtual-service.ts";
import { policySelectorSchema } from "./workload-selector.ts";

const mutualTls = object({
  mode: string({ enum: ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] }),
});

const schema = kubeObject(
  {
    spec: object({
      selector: policySelectorSchema,
      mtls: mutualTls,
      portLevelMtls: map(mutualTls, {
        minProperties: 1,
        description: "By the number of the workload's port, not of the service's.",
      }),
    }),
    status: istioStatusSchema,
  },
  "Whether workloads take plain text, mutual TLS or both.",
);

/** security.istio.io PeerAuthentication. */
export type PeerAuthentication = Infer<typeof schema>;
/** Which of the two a port takes; UNSET takes the setting of what is above. */
export type PeerAuthenticationMutualTls = Infer<typeof mutualTls>;

/** The kind `security.istio.io PeerAuthentication`. */
export const peerAuthenticationKind = defineKind<PeerAuthentication>({
  group: "security.istio.io",
  versions: ["v1", "v1beta1"],
  kind: "PeerAuthentication",
  plural: "peerauthentications",
  shortNames: ["pa"],
  categories: ["istio-io", "security-istio-io"],
  schema,
  printerColumns: [{ name: "Mode", type: "string", cell: ".spec.mtls.mode" }, AGE_COLUMN],
  validate: validatePeerAuthentication,
});
