import { suggest } from "../base/suggest.ts";
import { configMapKind } from "./config-map.ts";
import { deploymentKind } from "./deployment.ts";
import { destinationRuleKind } from "./destination-rule.ts";
import { endpointSliceKind } from "./endpoint-slice.ts";
import { endpointsKind } from "./endpoints.ts";
import { eventKind } from "./event.ts";
import { gatewayKind } from "./gateway.ts";
import { ingressKind } from "./ingress.ts";
import { ingressClassKind } from "./ingress-class.ts";
import type { Kind } from "./kind.ts";
import { apiVersionOf } from "./kind.ts";
import { namespaceKind } from "./namespace.ts";
import { nodeKind } from "./node.ts";
import { groupOf } from "./object.ts";
import { peerAuthenticationKind } from "./peer-authentication.ts";
import { podKind } from "./pod.ts";
import { proxyConfigKind } from "./proxy-config.ts";
import { replicaSetKind } from "./replica-set.ts";
import { secretKind } from "./secret.ts";
import { serviceKind } from "./service.ts";
import { serviceAccountKind } from "./service-account.ts";
import { serviceEntryKind } from "./service-entry.ts";
import { sidecarKind } from "./sidecar.ts";
import { telemetryKind } from "./telemetry.ts";
import { virtualServiceKind } from "./virtual-service.ts";
import { workloadEntryKind } from "./workload-entry.ts";
import { workloadGroupKind } from "./workload-group.ts";

/** Every kind that is built in, in the order of Kubernetes' own discovery. */
export const KINDS: readonly Kind[] = [
  configMapKind,
  endpointsKind,
  eventKind,
  namespaceKind,
  nodeKind,
  podKind,
  secretKind,
  serviceAccountKind,
  serviceKind,
  deploymentKind,
  replicaSetKind,
  endpointSliceKind,
  ingressKind,
  ingressClassKind,
  destinationRuleKind,
  gatewayKind,
  proxyConfigKind,
  serviceEntryKind,
  sidecarKind,
  virtualServiceKind,
  workloadEntryKind,
  workloadGroupKind,
  peerAuthenticationKind,
  telemetryKind,
];

/** Kinds that their APIs know and this version does not build, by group. */
const NOT_BUILT: Readonly<Record<string, readonly string[]>> = {
  "": ["LimitRange", "PersistentVolume", "PersistentVolumeClaim", "PodTemplate", "ResourceQuota"],
  apps: ["ControllerRevision", "DaemonSet", "StatefulSet"],
  autoscaling: ["HorizontalPodAutoscaler"],
  batch: ["CronJob", "Job"],
  policy: ["PodDisruptionBudget"],
  "apiextensions.k8s.io": ["CustomResourceDefinition"],
  "networking.k8s.io": ["NetworkPolicy"],
  "rbac.authorization.k8s.io": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
  "gateway.networking.k8s.io": [
    "BackendTLSPolicy",
    "Gateway",
    "GatewayClass",
    "GRPCRoute",
    "HTTPRoute",
    "ReferenceGrant",
    "TCPRoute",
    "TLSRoute",
  ],
  "networking.istio.io": ["EnvoyFilter"],
  "security.istio.io": ["AuthorizationPolicy", "RequestAuthentication"],
  "extensions.istio.io": ["TrafficExtension", "WasmPlugin"],
};

/** The kind of that group and name; both are exact. */
export function findKind(
  group: string,
  kind: string,
  kinds: readonly Kind[] = KINDS,
): Kind | undefined {
  return kinds.find((one) => one.group === group && one.kind === kind);
}

/** The kind that an API path names: `apis/GROUP/VERSION/PLURAL`. */
export function findPlural(
  group: string,
  version: string,
  plural: string,
  kinds: readonly Kind[] = KINDS,
): Kind | undefined {
  return kinds.find(
    (one) => one.group === group && one.plural === plural && one.versions.includes(version),
  );
}

/** The kind that a person means on a command line: `vs`, `pods`, `deployment`, `gateways.networking.istio.io`. */
export function findByName(name: string, kinds: readonly Kind[] = KINDS): Kind | undefined {
  const [word = "", ...rest] = name.toLowerCase().split(".");
  const group = rest.join(".");
  return kinds.find(
    (one) =>
      (rest.length === 0 || one.group === group) &&
      (one.plural === word || one.singular === word || one.shortNames.includes(word)),
  );
}

/** Why there is no such kind, lower case, with what was probably meant. */
export function explainUnknownKind(
  apiVersion: string,
  kind: string,
  kinds: readonly Kind[] = KINDS,
): string {
  const group = groupOf(apiVersion);
  if (NOT_BUILT[group]?.includes(kind) === true) {
    return `kind "${kind}" of ${apiVersion} is not supported yet by this version of weft`;
  }
  const said = `unknown kind "${kind}" in apiVersion "${apiVersion}"`;
  const sameName = kinds.find((one) => one.kind === kind);
  if (sameName !== undefined) {
    return `${said}, did you mean apiVersion "${apiVersionOf(sameName)}"?`;
  }
  const names = kinds.map((one) => one.kind);
  const meant = suggest(kind, names);
  const found = kinds.find((one) => one.kind === meant);
  if (found === undefined) return `${said} (known: ${names.join(", ")})`;
  const version = apiVersionOf(found);
  const isServed = found.versions.some((one) => versionText(found.group, one) === apiVersion);
  return `${said}, did you mean "${found.kind}"${isServed ? "" : ` in "${version}"`}?`;
}

function versionText(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}
