import { MESH_KINDS } from "../model/mesh.ts";
import { MESH_CONFIG_MAP } from "../model/mesh-config.ts";
import type { KubernetesKind } from "../source/kubernetes-source.ts";

/** What the mesh is made from, as it is asked of a Kubernetes API: of ConfigMaps the one that counts. */
export const KUBERNETES_KINDS: readonly KubernetesKind[] = MESH_KINDS.map((asked) => {
  const { group, kind, namespace, name } = MESH_CONFIG_MAP;
  const isConfigMap = asked.group === group && asked.kind === kind;
  return isConfigMap ? { group, kind, namespace, objectName: name } : asked;
});

/** Where control planes of one cluster choose the one that writes objects' status. */
export const LEASE_NAMESPACE = MESH_CONFIG_MAP.namespace;
