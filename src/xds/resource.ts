import { createHash } from "node:crypto";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { encodeMessage } from "../api/type-url.ts";
import { keyText, type ObjectKey } from "../config/object.ts";
import type { Origin } from "../model/origin.ts";
import type { XdsResource } from "./snapshot.ts";

/** What is known of a resource besides its bytes. */
export interface ResourceFacts {
  readonly name: string;
  readonly origins: readonly Origin[];
  readonly references?: readonly string[];
}

/** Encodes a message into a resource. */
export function encodeResource<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  facts: ResourceFacts,
): XdsResource {
  return createResource(encodeMessage(schema, message), facts);
}

/** A resource of bytes that are encoded already. */
export function createResource(
  body: Uint8Array,
  { name, origins, references }: ResourceFacts,
): XdsResource {
  return {
    name,
    version: createHash("sha256").update(body).digest("hex").slice(0, VERSION_LENGTH),
    body,
    origins: keysOf(origins),
    references: references ?? [],
  };
}

/** Half of the hash: 64 bits tell versions of one resource apart. */
const VERSION_LENGTH = 16;

/** Each object once, in order. */
function keysOf(origins: readonly Origin[]): readonly ObjectKey[] {
  return [...new Map(origins.map(({ key }) => [keyText(key), key])).values()];
}
