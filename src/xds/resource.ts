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
    version: versionOf(body),
    body,
    origins: keysOf(origins),
    references: references ?? [],
  };
}

/** A resource that is put together of parts, whose versions say all that is in it. */
export function joinResource(
  body: Uint8Array,
  parts: readonly { readonly version: string; readonly origins: readonly Origin[] }[],
  { name, references }: Omit<ResourceFacts, "origins">,
): XdsResource {
  const hash = createHash("sha256");
  hash.update(`${name} ${parts.map(({ version }) => version).join(" ")}`);
  // The parts themselves go with those who have them: many have been replaced since.
  const given = parts.map(({ origins }) => origins);
  let keys: readonly ObjectKey[] | undefined;
  return {
    name,
    version: hash.digest("hex").slice(0, VERSION_LENGTH),
    body,
    // Thousands in one route configuration, and few ever ask.
    get origins() {
      keys ??= keysOf(given.flat());
      return keys;
    },
    references: references ?? [],
  };
}

/** The hash of some bytes. */
export function versionOf(body: Uint8Array): string {
  return createHash("sha256").update(body).digest("hex").slice(0, VERSION_LENGTH);
}

/** Half of the hash: 64 bits tell versions of one resource apart. */
const VERSION_LENGTH = 16;

/** Each object once, in order. */
function keysOf(origins: readonly Origin[]): readonly ObjectKey[] {
  return [...new Map(origins.map(({ key }) => [keyText(key), key])).values()];
}
