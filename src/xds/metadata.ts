import type { JsonObject } from "@bufbuild/protobuf";
import type { ObjectKey } from "../config/object.ts";
import type { Origin } from "../model/origin.ts";

/** Where in a resource's metadata weft says what made it. */
const ORIGIN_NAMESPACE = "weft.origin";

/** `filter_metadata` as protobuf's JSON has it; keys in order, since bytes must not depend on it. */
export interface ResourceMetadata {
  readonly filterMetadata: Record<string, JsonObject>;
}

/**
 * The metadata of a resource: Istio's, which its tools read, and ours. No line, no resource
 * version: what does not change behaviour must not change bytes.
 */
export function buildMetadata(
  origins: readonly Origin[],
  istio: JsonObject = {},
): ResourceMetadata {
  return {
    filterMetadata: {
      ...(Object.keys(istio).length === 0 ? {} : { istio }),
      [ORIGIN_NAMESPACE]: { objects: origins.map(originJson) },
    },
  };
}

function originJson({ key: { kind, namespace, name }, path }: Origin): JsonObject {
  return { kind, namespace, name, ...(path === "" ? {} : { path }) };
}

const PLURALS: Readonly<Record<string, string>> = {
  DestinationRule: "destination-rule",
  Gateway: "gateway",
  VirtualService: "virtual-service",
};

/** Istio's name of a configuration object: its API path, the kind in kebab case. */
export function istioConfigPath({ group, kind, namespace, name }: ObjectKey): string {
  return `/apis/${group}/v1/namespaces/${namespace}/${PLURALS[kind] ?? kind.toLowerCase()}/${name}`;
}
