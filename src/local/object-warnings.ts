import type { Issue } from "../base/issue.ts";
import type { KubeObject } from "../config/object.ts";
import type { Service } from "../config/service.ts";
import { referenceIssues } from "../model/mesh-issues.ts";
import type { Storage } from "../storage/storage.ts";

/** What is remarkable about an object that is accepted: what it names and nobody has, or has no use here. */
export function objectWarnings(
  object: KubeObject,
  storage: Pick<Storage, "get" | "list">,
): readonly Issue[] {
  const references = referenceIssues(object, {
    list: (group, kind, namespace) =>
      storage.list({ group, kind, ...(namespace === undefined ? {} : { namespace }) })
        .items as readonly never[],
    get: (key) => storage.get(key) as never,
  });
  return [...references, ...nodePortWarnings(object)];
}

/** Nobody listens on node ports: what the host reaches, it reaches by a container's `hostPort`. */
function nodePortWarnings(object: KubeObject): readonly Issue[] {
  if (object.kind !== "Service" || object.apiVersion !== "v1") return [];
  const { spec } = object as Service;
  const message =
    "no node port is opened in portable mode: give a container with a sidecar a hostPort";
  const isNodePort = spec.type === "NodePort";
  return [
    ...(isNodePort ? [{ path: "spec.type", message, severity: "warning" as const }] : []),
    ...(spec.ports ?? []).flatMap(({ nodePort }, at) =>
      nodePort === undefined
        ? []
        : [{ path: `spec.ports[${at}].nodePort`, message, severity: "warning" as const }],
    ),
  ];
}
