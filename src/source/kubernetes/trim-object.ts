import { isJsonObject, type JsonObject } from "../../config/json.ts";
import type { Kind } from "../../config/kind.ts";

/** What `kubectl apply` writes beside an object: the whole object once more. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Metadata that says nothing of the mesh: versions and bookkeeping, which change all the time. */
const DROPPED_METADATA = new Set([
  "managedFields",
  "resourceVersion",
  "selfLink",
  "finalizers",
  "generateName",
]);

/**
 * An object as an API server gives it, without what the mesh is not made from: much of the memory,
 * and nearly all of the changes. The kind and version are filled in, which lists leave out.
 */
export function trimObject(kind: Kind, version: string, raw: JsonObject): JsonObject {
  const shape = SHAPES[`${kind.group}/${kind.kind}`] ?? withoutStatus;
  const { metadata, ...rest } = raw;
  return {
    ...shape(rest),
    apiVersion: kind.group === "" ? version : `${kind.group}/${version}`,
    kind: kind.kind,
    metadata: trimMetadata(metadata, kind),
  };
}

function trimMetadata(metadata: unknown, kind: Kind): unknown {
  if (!isJsonObject(metadata)) return metadata;
  // Of Pods the labels and the owner count; their annotations are other people's notes.
  const isPod = kind.group === "" && kind.kind === "Pod";
  const kept = Object.entries(metadata).filter(([name]) => {
    if (name === "ownerReferences") return isPod;
    return !DROPPED_METADATA.has(name) && !(isPod && name === "annotations");
  });
  const { annotations, ...others } = Object.fromEntries(kept) as Record<string, unknown>;
  if (!isJsonObject(annotations)) return others;
  const own = Object.entries(annotations).filter(([name]) => name !== LAST_APPLIED);
  return own.length === 0 ? others : { ...others, annotations: Object.fromEntries(own) };
}

type Shape = (fields: JsonObject) => JsonObject;

const withoutStatus: Shape = ({ status: _status, ...rest }) => rest;

/** Nothing but metadata. */
const nameAlone: Shape = () => ({});

/** Kinds of which less is enough, and those whose status says something of the mesh. */
const SHAPES: Readonly<Record<string, Shape>> = {
  "/Pod": ({ spec, status }) => ({ spec: trimPodSpec(spec), ...pick({ status }, POD_STATUS) }),
  "/Node": nameAlone,
  "/Namespace": nameAlone,
  "discovery.k8s.io/EndpointSlice": ({ endpoints, ...rest }) => ({
    ...rest,
    ...(Array.isArray(endpoints) && { endpoints: endpoints.map(trimEndpoint) }),
  }),
  // Its agent says there whether it is well.
  "networking.istio.io/WorkloadEntry": (fields) => fields,
};

const POD_STATUS = ["podIP"];
const POD_SPEC = ["nodeName", "serviceAccountName", "hostNetwork"];

function trimPodSpec(spec: unknown): unknown {
  if (!isJsonObject(spec)) return spec;
  const { containers } = spec;
  return {
    ...fieldsOf(spec, POD_SPEC),
    containers: Array.isArray(containers) ? containers.map(trimContainer) : containers,
  };
}

/** Services find ports by their names; the mesh carries TCP only. */
function trimContainer(container: unknown): unknown {
  if (!isJsonObject(container)) return container;
  const { ports } = container;
  const kept = Array.isArray(ports)
    ? ports.filter((port) => isJsonObject(port) && (port["protocol"] ?? "TCP") === "TCP")
    : [];
  return {
    ...fieldsOf(container, ["name", "image"]),
    ...(kept.length > 0 && {
      ports: kept.map((port) => fieldsOf(port as JsonObject, ["name", "containerPort"])),
    }),
  };
}

const TARGET = ["kind", "namespace", "name"];

function trimEndpoint(endpoint: unknown): unknown {
  if (!isJsonObject(endpoint)) return endpoint;
  const { hints: _hints, deprecatedTopology: _topology, ...rest } = endpoint;
  return { ...rest, ...pick(endpoint, TARGET, "targetRef") };
}

/** The one field of an object with only some of its own fields; nothing where it is absent. */
function pick(object: JsonObject, names: readonly string[], field = "status"): JsonObject {
  const value = object[field];
  return isJsonObject(value) ? { [field]: fieldsOf(value, names) } : {};
}

function fieldsOf(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.flatMap((name) => (object[name] === undefined ? [] : [[name, object[name]]])),
  );
}
