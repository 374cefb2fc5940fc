/**
 * Responses as bytes. They are put together from resources that were encoded before: encoded
 * messages may simply stand one after the other, so only what differs by client is written anew.
 */
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import { RESOURCE_KINDS, type ResourceKind } from "../xds/snapshot.ts";
import { GrpcMessage } from "./grpc-message.ts";
import { delimited, textField } from "./resource-entry.ts";
import type { VariantName } from "./variant.ts";

// Tags: field number << 3 | 2 (length-delimited). The same in both kinds of response, but for two.
const TAG_VERSION = 0x0a;
const TAG_TYPE_URL = 0x22;
const TAG_NONCE = 0x2a;
const TAG_REMOVED = 0x32;
const TAG_CONTROL_PLANE = { sotw: 0x32, delta: 0x3a } as const;
/** Of `ControlPlane.identifier`. */
const TAG_IDENTIFIER = 0x0a;

const KIND_BY_TYPE_URL: ReadonlyMap<string, ResourceKind> = new Map(
  RESOURCE_KINDS.map((kind) => [RESOURCE_TYPE_URL[kind], kind]),
);

/** What a response says. */
export interface ResponseParts {
  readonly kind: ResourceKind;
  readonly version: string;
  readonly nonce: string;
  /** Encoded by `resourceEntry`, in the form of the variant. */
  readonly body: readonly Uint8Array[];
  /** Only the incremental variant can say this. */
  readonly removed: readonly string[];
  /** Who answers, for Envoy's config dump. */
  readonly controlPlane: string;
}

/** Which kind a type URL asks for; `undefined` when it is not served. */
export function kindOfTypeUrl(typeUrl: string): ResourceKind | undefined {
  return KIND_BY_TYPE_URL.get(typeUrl);
}

/** A `DiscoveryResponse` or `DeltaDiscoveryResponse`. */
export function encodeResponse(variant: VariantName, parts: ResponseParts): GrpcMessage {
  return new GrpcMessage([
    textField(TAG_VERSION, parts.version),
    ...parts.body,
    textField(TAG_TYPE_URL, RESOURCE_TYPE_URL[parts.kind]),
    textField(TAG_NONCE, parts.nonce),
    ...parts.removed.map((name) => textField(TAG_REMOVED, name)),
    delimited(TAG_CONTROL_PLANE[variant], textField(TAG_IDENTIFIER, parts.controlPlane)),
  ]);
}
