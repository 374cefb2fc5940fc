import type { ObjectKey } from "../config/object.ts";
import type { ResourceMap } from "./resource-map.ts";

/**
 * The kinds of resource that a proxy is sent, what is named before what names it. Virtual hosts are
 * for routes that have them looked up on demand (VHDS); their names are `routes/host`.
 */
export const RESOURCE_KINDS = ["cluster", "endpoint", "listener", "route", "virtualHost"] as const;
export type ResourceKind = (typeof RESOURCE_KINDS)[number];

/** One encoded resource. The same content always has the same bytes and so the same version. */
export interface XdsResource {
  readonly name: string;
  /** Hash of `body`. */
  readonly version: string;
  /** The encoded message, without the `Any` around it. */
  readonly body: Uint8Array;
  /** The objects that made it, most telling first; also inside it as metadata. */
  readonly origins: readonly ObjectKey[];
  /** For listeners: the route configurations it asks for. For routes and virtual hosts: the clusters they name. */
  readonly references: readonly string[];
}

/** Everything one proxy is to have. */
export interface XdsSnapshot {
  readonly resources: Readonly<Record<ResourceKind, ResourceMap>>;
}
