/**
 * Discovery messages as bytes. A response is put together from resources that were encoded before,
 * so that one resource is encoded once however many proxies get it.
 */
import { fromBinary } from "@bufbuild/protobuf";
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
} from "../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import type { Result } from "../base/issue.ts";
import { RESOURCE_KINDS, type ResourceKind, type XdsResource } from "../xds/snapshot.ts";

// Tags of `DiscoveryResponse`: field number << 3 | 2 (length-delimited).
const TAG_VERSION_INFO = 0x0a;
const TAG_RESOURCES = 0x12;
const TAG_TYPE_URL = 0x22;
const TAG_NONCE = 0x2a;
const TAG_CONTROL_PLANE = 0x32;
// Tags of `google.protobuf.Any` and of `ControlPlane.identifier`.
const TAG_ANY_TYPE_URL = 0x0a;
const TAG_ANY_VALUE = 0x12;
const TAG_IDENTIFIER = 0x0a;

const KIND_BY_TYPE_URL: ReadonlyMap<string, ResourceKind> = new Map(
  RESOURCE_KINDS.map((kind) => [RESOURCE_TYPE_URL[kind], kind]),
);

/** Entries by resource: a snapshot that keeps a resource keeps its bytes, and they go with it. */
const entries = new WeakMap<XdsResource, Uint8Array>();

/** What a state-of-the-world response says. */
export interface ResponseParts {
  readonly kind: ResourceKind;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly XdsResource[];
  /** Who answers, for Envoy's config dump. */
  readonly controlPlane: string;
}

/** Which kind a type URL asks for; `undefined` when it is not served. */
export function kindOfTypeUrl(typeUrl: string): ResourceKind | undefined {
  return KIND_BY_TYPE_URL.get(typeUrl);
}

/** The bytes of a `DiscoveryResponse`. */
export function encodeResponse(parts: ResponseParts): Buffer {
  return Buffer.concat([
    delimited(TAG_VERSION_INFO, Buffer.from(parts.version)),
    ...parts.resources.map((resource) => resourceEntry(parts.kind, resource)),
    delimited(TAG_TYPE_URL, Buffer.from(RESOURCE_TYPE_URL[parts.kind])),
    delimited(TAG_NONCE, Buffer.from(parts.nonce)),
    delimited(TAG_CONTROL_PLANE, delimited(TAG_IDENTIFIER, Buffer.from(parts.controlPlane))),
  ]);
}

/** A request from a client's bytes. */
export function decodeRequest(bytes: Uint8Array): Result<DiscoveryRequest> {
  try {
    return { ok: true, value: fromBinary(DiscoveryRequestSchema, bytes) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, issues: [{ path: "", message: `not a DiscoveryRequest: ${reason}` }] };
  }
}

function resourceEntry(kind: ResourceKind, resource: XdsResource): Uint8Array {
  let entry = entries.get(resource);
  if (entry === undefined) {
    const any = Buffer.concat([
      delimited(TAG_ANY_TYPE_URL, Buffer.from(RESOURCE_TYPE_URL[kind])),
      delimited(TAG_ANY_VALUE, resource.body),
    ]);
    entry = delimited(TAG_RESOURCES, any);
    entries.set(resource, entry);
  }
  return entry;
}

function delimited(tag: number, content: Uint8Array): Buffer {
  const head = [tag];
  let length = content.length;
  while (length > 0x7f) {
    head.push((length & 0x7f) | 0x80);
    length >>>= 7;
  }
  head.push(length);
  return Buffer.concat([Buffer.from(head), content]);
}
