/**
 * Resources as they stand in responses: encoded once, however many proxies get them. An entry lives
 * as long as its resource does.
 */
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import { memoise } from "../base/memo.ts";
import type { ResourceKind, XdsResource } from "../xds/snapshot.ts";
import { wireVersion } from "./resource-version.ts";

/** `any`: in a `DiscoveryResponse`. `resource`: in a `DeltaDiscoveryResponse`, with its name. */
export type EntryForm = "any" | "resource";

/** The tag of `resources` in both kinds of response: field number << 3 | 2 (length-delimited). */
const TAG_RESOURCES = 0x12;
// Tags of `google.protobuf.Any`.
const TAG_ANY_TYPE_URL = 0x0a;
const TAG_ANY_VALUE = 0x12;
// Tags of `envoy.service.discovery.v3.Resource`.
const TAG_VERSION = 0x0a;
const TAG_RESOURCE = 0x12;
const TAG_NAME = 0x1a;

/** One resource, ready to stand in a response; `parent` as for `wireVersion`. */
export function resourceEntry(
  form: EntryForm,
  kind: ResourceKind,
  resource: XdsResource,
  parent: XdsResource | undefined,
): Uint8Array {
  return form === "any" ? anyEntry(resource, kind) : deltaEntry(resource, kind, parent);
}

const anyEntry = memoise((resource: XdsResource, kind: ResourceKind) =>
  delimited(TAG_RESOURCES, anyOf(resource, kind)),
);

const deltaEntry = memoise(
  (resource: XdsResource, kind: ResourceKind, parent: XdsResource | undefined) =>
    encodeDelta(resource, kind, parent),
);

function encodeDelta(
  resource: XdsResource,
  kind: ResourceKind,
  parent: XdsResource | undefined,
): Buffer {
  const parts = [
    textField(TAG_VERSION, wireVersion(resource, parent)),
    delimited(TAG_RESOURCE, anyOf(resource, kind)),
    textField(TAG_NAME, resource.name),
  ];
  return delimited(TAG_RESOURCES, Buffer.concat(parts));
}

function anyOf({ body }: XdsResource, kind: ResourceKind): Buffer {
  return Buffer.concat([
    textField(TAG_ANY_TYPE_URL, RESOURCE_TYPE_URL[kind]),
    delimited(TAG_ANY_VALUE, body),
  ]);
}

/** A field of text. */
export function textField(tag: number, text: string): Buffer {
  return delimited(tag, Buffer.from(text));
}

/** A field of bytes. */
export function delimited(tag: number, content: Uint8Array): Buffer {
  const head = [tag];
  let { length } = content;
  while (length > 0x7f) {
    head.push((length & 0x7f) | 0x80);
    length >>>= 7;
  }
  head.push(length);
  return Buffer.concat([Buffer.from(head), content]);
}
