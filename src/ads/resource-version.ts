import { hash } from "node:crypto";
import type { XdsResource } from "../xds/snapshot.ts";
import { digestOf } from "./digest.ts";

/** Characters of the version of one resource that was made of two. */
const PAIR_LENGTH = 16;

/** Characters of the version of a whole state: enough that two states never share one. */
const STATE_LENGTH = 20;

interface Known {
  readonly parent: XdsResource | undefined;
  readonly digest: bigint;
}

/** The latest by resource: mostly a resource has one parent for all proxies. */
const digests = new WeakMap<XdsResource, Known>();
const pairs = new WeakMap<
  XdsResource,
  { readonly parent: XdsResource; readonly version: string }
>();

/**
 * The version of a resource as a client of the incremental variant is told it.
 *
 * That of endpoints includes that of their cluster (`parent`): an Envoy whose cluster changed keeps
 * it warming until endpoints come again, even when they are the same. With this a client that comes
 * back shows by what it has whether it needs them.
 */
export function wireVersion(resource: XdsResource, parent: XdsResource | undefined): string {
  if (parent === undefined) return resource.version;
  const known = pairs.get(resource);
  if (known !== undefined && known.parent === parent) return known.version;
  const both = `${resource.version}\0${parent.version}`;
  const version = hash("sha256", both, "hex").slice(0, PAIR_LENGTH);
  pairs.set(resource, { parent, version });
  return version;
}

/** The part of one resource, and of its parent, in the digest of a state. */
export function resourceDigest(resource: XdsResource, parent: XdsResource | undefined): bigint {
  const known = digests.get(resource);
  if (known !== undefined && known.parent === parent) return known.digest;
  const digest = digestOf(`${resource.name}\0${resource.version}\0${parent?.version ?? ""}`);
  digests.set(resource, { parent, digest });
  return digest;
}

/**
 * The version of a state by its digest: equal states have equal versions, whichever server made
 * them and in whatever order, so that a client that comes back with it needs nothing.
 */
export function stateVersion(digest: bigint): string {
  return digest.toString(16).padStart(32, "0").slice(0, STATE_LENGTH);
}
