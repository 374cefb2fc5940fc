import type { Issue, Result } from "../base/issue.ts";
import { isError } from "../base/issue.ts";
import { validateIstioAnnotations } from "./istio-annotations.ts";
import { isJsonObject, jsonTypeOf } from "./json.ts";
import type { Kind } from "./kind.ts";
import { explainUnknownKind, findKind, KINDS } from "./kinds.ts";
import { validateMetadata } from "./metadata.ts";
import { normalize } from "./normalize.ts";
import type { KubeObject } from "./object.ts";
import { groupOf } from "./object.ts";
import type { ValidateOptions } from "./validate.ts";
import { validateAgainst } from "./validate.ts";

/** How to take an object. */
export interface DecodeOptions {
  readonly kinds?: readonly Kind[];
  /** See `ValidateOptions.unknownFields`; unknown fields that are let through are dropped. */
  readonly unknownFields?: ValidateOptions["unknownFields"];
}

/**
 * An object from JSON: its kind looked up, its schema and rules held, its defaults filled in. The
 * version stays the one it was written in. Fields that a server sets and weft does not keep go.
 */
export function decodeObject(raw: unknown, options: DecodeOptions = {}): Result<KubeObject> {
  const kind = kindOf(raw, options.kinds ?? KINDS);
  return kind.ok ? decodeAs(kind.value, raw, options) : kind;
}

/** Like `decodeObject` where the kind is known already, as from an API path. */
export function decodeAs(
  kind: Kind,
  raw: unknown,
  { unknownFields = "error" }: DecodeOptions = {},
): Result<KubeObject> {
  const found = validateAgainst(kind.schema, raw, "", { unknownFields, origin: kind.origin });
  if (found.some(isError)) return { ok: false, issues: found };
  const isPruning = unknownFields !== "error";
  const full = dropServerFields(normalize(kind.schema, raw, { isPruning }) as KubeObject);
  const object = kind.defaults?.(full) ?? full;
  const issues = [...found, ...validateMetadata(object.metadata, kind)];
  if (kind.origin === "Istio") {
    issues.push(...validateIstioAnnotations(object.metadata, kind.kind));
  }
  issues.push(...(kind.validate?.(object) ?? []));
  if (issues.some(isError)) return { ok: false, issues };
  return issues.length === 0
    ? { ok: true, value: object }
    : { ok: true, value: object, warnings: issues };
}

/** Which kind an object says it is. */
export function kindOf(raw: unknown, kinds: readonly Kind[] = KINDS): Result<Kind> {
  if (!isJsonObject(raw)) return refuse("", `must be an object: got ${jsonTypeOf(raw)}`);
  const { apiVersion, kind } = raw as { apiVersion?: unknown; kind?: unknown };
  const issues: Issue[] = [];
  for (const [path, value] of [["apiVersion", apiVersion] as const, ["kind", kind] as const]) {
    if (value === undefined || value === null || value === "") {
      issues.push({ path, message: "is required" });
    } else if (typeof value !== "string") {
      issues.push({ path, message: `must be text: got ${jsonTypeOf(value)}` });
    }
  }
  if (typeof apiVersion !== "string" || typeof kind !== "string" || issues.length > 0) {
    return { ok: false, issues };
  }
  const found = findKind(groupOf(apiVersion), kind, kinds);
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  if (found?.versions.includes(version) === true) return { ok: true, value: found };
  const isKindKnown =
    found !== undefined || kinds.every((one) => one.group !== groupOf(apiVersion));
  return refuse(isKindKnown ? "apiVersion" : "kind", explainUnknownKind(apiVersion, kind, kinds));
}

function dropServerFields(object: KubeObject): KubeObject {
  const metadata: Record<string, unknown> = { ...object.metadata };
  delete metadata["managedFields"];
  delete metadata["selfLink"];
  return { ...object, metadata: metadata as unknown as KubeObject["metadata"] };
}

function refuse(path: string, message: string): Result<never> {
  return { ok: false, issues: [{ path, message }] };
}
