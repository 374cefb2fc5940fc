/**
 * Resources as they stand in responses: a head that says which one it is, and then its own bytes,
 * which are there once, however many proxies get them.
 */
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import { RESOURCE_KINDS, type ResourceKind, type XdsResource } from "../xds/snapshot.ts";
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

/** The field `type_url` by kind. */
const TYPE_FIELDS = Object.fromEntries(
  RESOURCE_KINDS.map((kind) => [kind, textField(TAG_ANY_TYPE_URL, RESOURCE_TYPE_URL[kind])]),
) as Readonly<Record<ResourceKind, Buffer>>;

/** One resource, in pieces that stand in a response one after the other; `parent` as for `wireVersion`. */
export function resourceEntry(
  form: EntryForm,
  kind: ResourceKind,
  resource: XdsResource,
  parent: XdsResource | undefined,
): readonly [head: Uint8Array, body: Uint8Array] {
  const { body, name } = resource;
  const type = TYPE_FIELDS[kind];
  const anyLength = type.length + fieldLength(body.length);
  if (form === "any") {
    const head = Buffer.allocUnsafe(fieldLength(anyLength) - body.length);
    writeAny(head, 0, TAG_RESOURCES, type, body.length);
    return [head, body];
  }
  const version = wireVersion(resource, parent);
  const nameLength = Buffer.byteLength(name);
  // The fields of a message may stand in any order: what is large comes last.
  const length = fieldLength(version.length) + fieldLength(nameLength) + fieldLength(anyLength);
  const head = Buffer.allocUnsafe(fieldLength(length) - body.length);
  let at = writeHead(head, 0, TAG_RESOURCES, length);
  at = writeHead(head, at, TAG_VERSION, version.length);
  at += head.write(version, at, "latin1");
  at = writeHead(head, at, TAG_NAME, nameLength);
  at += head.write(name, at);
  writeAny(head, at, TAG_RESOURCE, type, body.length);
  return [head, body];
}

/** Writes a field that is an `Any`, up to the bytes of its value. */
function writeAny(to: Buffer, start: number, tag: number, type: Buffer, valueLength: number): void {
  let at = writeHead(to, start, tag, type.length + fieldLength(valueLength));
  at += type.copy(to, at);
  writeHead(to, at, TAG_ANY_VALUE, valueLength);
}

/** A field of text. */
export function textField(tag: number, text: string): Buffer {
  return delimited(tag, Buffer.from(text));
}

/** A field of bytes. */
export function delimited(tag: number, content: Uint8Array): Buffer {
  const field = Buffer.allocUnsafe(fieldLength(content.length));
  field.set(content, writeHead(field, 0, tag, content.length));
  return field;
}

/** Writes the tag and the length of a field; where what it holds begins. */
function writeHead(to: Buffer, start: number, tag: number, length: number): number {
  let at = start;
  to[at++] = tag;
  let left = length;
  while (left > 0x7f) {
    to[at++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  to[at++] = left;
  return at;
}

/** How long a field is that holds so much. */
function fieldLength(length: number): number {
  let head = 2;
  for (let left = length; left > 0x7f; left >>>= 7) head += 1;
  return head + length;
}
