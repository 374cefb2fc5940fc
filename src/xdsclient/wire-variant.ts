import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { status as grpcStatus } from "@grpc/grpc-js";
import type { Node } from "../api/gen/envoy/config/core/v3/base_pb.js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type Resource,
} from "../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import type { Rejection, ResourceUpdate, WireResource } from "./resource-type.ts";

/** The two forms of the protocol, by their names in `api_type`. */
export type VariantName = "GRPC" | "DELTA_GRPC";

/** What one request says; each variant writes the part that it has fields for. */
export interface Ask {
  readonly typeUrl: string;
  /** Of the response that is answered; "" in a request that answers none. */
  readonly nonce: string;
  /** Why that response was refused; `undefined` when it was not. */
  readonly refusal: string | undefined;
  /** State of the world: the version in use, and all names. */
  readonly version: string;
  names(): readonly string[];
  /** Delta: names that are new, and no longer needed, on this stream. */
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Delta: what is held when a stream begins, name to version. */
  readonly heldVersions: ReadonlyMap<string, string>;
}

/** One response. */
export interface Answer {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly update: ResourceUpdate;
  /** What is wrong with it before anybody has looked inside a resource. */
  readonly faults: readonly Rejection[];
}

/** How requests and responses of one form are written. */
export interface WireVariant {
  readonly name: VariantName;
  /** The method of the aggregated service. */
  readonly aggregatedMethod: string;
  encode(ask: Ask, node: Node | undefined): Buffer;
  /** Throws where the bytes are no message. */
  decode(bytes: Buffer): Answer;
}

const SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";

const STATE_OF_THE_WORLD: WireVariant = {
  name: "GRPC",
  aggregatedMethod: `${SERVICE}StreamAggregatedResources`,
  encode(ask, node) {
    const request: MessageInitShape<typeof DiscoveryRequestSchema> = {
      typeUrl: ask.typeUrl,
      versionInfo: ask.version,
      responseNonce: ask.nonce,
      resourceNames: [...ask.names()],
      ...errorDetail(ask),
      ...(node === undefined ? {} : { node }),
    };
    return Buffer.from(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request)));
  },
  decode(bytes) {
    const { typeUrl, nonce, versionInfo, resources } = fromBinary(DiscoveryResponseSchema, bytes);
    const foreign = resources.find((resource) => resource.typeUrl !== typeUrl);
    return {
      typeUrl,
      nonce,
      update: {
        resources: resources.map(({ value }) => ({
          name: "",
          aliases: NONE,
          version: "",
          body: value,
        })),
        removed: NONE,
        isWhole: true,
        version: versionInfo,
      },
      faults: foreign === undefined ? [] : [wholly(notOfType(foreign.typeUrl, typeUrl))],
    };
  },
};

const NONE: readonly string[] = [];

const DELTA: WireVariant = {
  name: "DELTA_GRPC",
  aggregatedMethod: `${SERVICE}DeltaAggregatedResources`,
  encode(ask, node) {
    const request: MessageInitShape<typeof DeltaDiscoveryRequestSchema> = {
      typeUrl: ask.typeUrl,
      responseNonce: ask.nonce,
      resourceNamesSubscribe: [...ask.subscribe],
      resourceNamesUnsubscribe: [...ask.unsubscribe],
      initialResourceVersions: Object.fromEntries(ask.heldVersions),
      ...errorDetail(ask),
      ...(node === undefined ? {} : { node }),
    };
    const schema = DeltaDiscoveryRequestSchema;
    return Buffer.from(toBinary(schema, create(schema, request)));
  },
  decode(bytes) {
    const message = fromBinary(DeltaDiscoveryResponseSchema, bytes);
    const { typeUrl, nonce, systemVersionInfo: version, removedResources: removed } = message;
    const faults: Rejection[] = [];
    const names = new Set<string>();
    const resources: WireResource[] = [];
    for (const resource of message.resources) {
      const { name } = resource;
      if (names.has(name)) {
        faults.push(wholly(`duplicate name ${name} found among added/updated resources`));
      }
      names.add(name);
      const fault = faultOf(resource, typeUrl);
      if (fault !== undefined) faults.push(fault);
      const body = resource.resource?.value;
      resources.push({ name, aliases: resource.aliases, version: resource.version, body });
    }
    for (const name of removed) {
      if (names.has(name)) {
        const what = `duplicate name ${name} found in the union of added+removed resources`;
        faults.push(wholly(what));
      }
      names.add(name);
    }
    return { typeUrl, nonce, update: { resources, removed, isWhole: false, version }, faults };
  },
};

/** By the name that a bootstrap gives it. */
export const WIRE_VARIANTS: Readonly<Record<VariantName, WireVariant>> = {
  GRPC: STATE_OF_THE_WORLD,
  DELTA_GRPC: DELTA,
};

function errorDetail({ refusal }: Ask): { errorDetail?: { code: number; message: string } } {
  // The code is the one that Envoy gives.
  if (refusal === undefined) return {};
  return { errorDetail: { code: grpcStatus.INTERNAL, message: refusal } };
}

function wholly(reason: string): Rejection {
  return { name: "", reason };
}

function notOfType(given: string, typeUrl: string): string {
  return `type URL ${given} does not match ${typeUrl}`;
}

/** What keeps one resource from being looked at, whatever its type. */
function faultOf(resource: Resource, typeUrl: string): Rejection | undefined {
  const { name, ttl, resourceName } = resource;
  const given = resource.resource?.typeUrl;
  if (given !== undefined && given !== typeUrl) return wholly(notOfType(given, typeUrl));
  if (ttl !== undefined) {
    return {
      name,
      reason: "ttl: is not supported yet, send it without and remove it when it ends",
    };
  }
  if (resourceName?.dynamicParameterConstraints !== undefined) {
    const path = "resource_name.dynamic_parameter_constraints";
    return { name, reason: `${path}: is not supported yet, name the resource by "name" alone` };
  }
  return undefined;
}
