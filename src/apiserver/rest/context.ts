import type { Clock } from "../../base/clock.ts";
import type { Kind } from "../../config/kind.ts";
import { apiVersionOf } from "../../config/kind.ts";
import type { KubeObject, ObjectKey } from "../../config/object.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { ApiHooks } from "../api-hooks.ts";
import type { Exchange } from "./exchange.ts";
import type { ResourcePath } from "./path.ts";
import { ApiError, qualifiedPlural } from "./status.ts";

/** What every handler needs. */
export interface RestContext {
  readonly storage: Storage;
  readonly kinds: readonly Kind[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly hooks: ApiHooks;
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
}

/** One request for resources: what is asked, and of what. */
export interface RestRequest {
  readonly context: RestContext;
  readonly exchange: Exchange;
  readonly path: ResourcePath;
}

/** The key of the object that a path names. */
export function keyOfPath({ kind, namespace = "", name }: ResourcePath): ObjectKey {
  if (name === undefined) throw new ApiError("BadRequest", "the path names no object");
  return { group: kind.group, kind: kind.kind, namespace, name };
}

/** The object that a path names; its absence is the answer. */
export function getObject({ context, path }: RestRequest): KubeObject {
  const key = keyOfPath(path);
  const object = context.storage.get(key);
  if (object !== undefined) return object;
  const { kind } = path;
  throw new ApiError("NotFound", `${qualifiedPlural(kind)} "${key.name}" not found`, {
    name: key.name,
    group: kind.group,
    kind: kind.plural,
  });
}

/** An object in the version that the path asks for; all versions of a kind have the same shape. */
export function inVersion(object: KubeObject, { kind, version }: ResourcePath): KubeObject {
  const apiVersion = kind.group === "" ? version : `${kind.group}/${version}`;
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** An object in the version that is kept. */
export function inStoredVersion(object: KubeObject, kind: Kind): KubeObject {
  const apiVersion = apiVersionOf(kind);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}
