import { isJsonObject, own } from "../../config/json.ts";
import type { ScalePaths } from "../../config/kind.ts";
import type { LabelSelector } from "../../config/label-selector.ts";
import { formatLabelSelector } from "../../config/label-selector.ts";
import type { KubeObject } from "../../config/object.ts";
import { integer, object } from "../../config/schema.ts";
import { validateAgainst } from "../../config/validate.ts";
import type { RestRequest } from "./context.ts";
import { getObject } from "./context.ts";
import { jsonPatch, mergePatch } from "./patch.ts";
import { ApiError, fromStorageError, invalidObject } from "./status.ts";
import { dryRunOf } from "./write.ts";

const specSchema = object({ replicas: integer({ minimum: 0 }) });

/** `autoscaling/v1 Scale` of an object: `GET`, `PUT` and `PATCH` of its number of replicas. */
export async function serveScale(request: RestRequest): Promise<void> {
  const { context, exchange, path } = request;
  const { kind } = path;
  if (kind.scale === undefined) {
    throw new ApiError("NotFound", `the server has no "scale" of ${kind.plural}`);
  }
  if (exchange.method === "GET") {
    return exchange.sendJson(200, toScale(getObject(request), kind.scale));
  }
  const body = await exchange.body();
  const old = getObject(request);
  const scale = nextScale(request, toScale(old, kind.scale), body);
  const spec = isJsonObject(scale) ? own(scale, "spec") : undefined;
  const issues = validateAgainst(specSchema, spec ?? {}, "spec");
  const { name } = old.metadata;
  if (issues.length > 0) throw invalidObject(kind, name, issues);
  const replicas = isJsonObject(spec) ? (own(spec, "replicas") ?? 0) : 0;
  const metadata = isJsonObject(scale) ? own(scale, "metadata") : undefined;
  const version = isJsonObject(metadata) ? own(metadata, "resourceVersion") : undefined;
  const scaled = setAt(old, kind.scale.specReplicas.slice(1).split("."), replicas);
  const { resourceVersion: _, ...rest } = old.metadata;
  const named = typeof version === "string" ? { ...rest, resourceVersion: version } : rest;
  try {
    const updated = await context.storage.update(
      { ...(scaled as KubeObject), metadata: named },
      dryRunOf(exchange),
    );
    exchange.sendJson(200, toScale(updated, kind.scale));
  } catch (error) {
    throw fromStorageError(error, kind, name);
  }
}

function nextScale({ exchange }: RestRequest, old: object, body: unknown): unknown {
  if (exchange.method === "PUT") return body;
  if (exchange.contentType !== "application/json-patch+json") return mergePatch(old, body);
  const result = jsonPatch(old, body);
  if (result.ok) return result.value;
  throw new ApiError("BadRequest", result.issues.map(({ message }) => message).join("; "));
}

function toScale(of: KubeObject, paths: ScalePaths): object {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = of.metadata;
  const replicas = numberAt(of, paths.specReplicas);
  const selector = valueAt(of, paths.selector) as LabelSelector | undefined;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas },
    status: {
      replicas: numberAt(of, paths.statusReplicas),
      selector: formatLabelSelector(selector),
    },
  };
}

function numberAt(of: KubeObject, path: string): number {
  const value = valueAt(of, path);
  return typeof value === "number" ? value : 0;
}

function valueAt(of: KubeObject, path: string): unknown {
  let value: unknown = of;
  for (const name of path.slice(1).split(".")) {
    value = isJsonObject(value) ? own(value, name) : undefined;
  }
  return value;
}

function setAt(target: unknown, names: readonly string[], value: unknown): unknown {
  const [name, ...rest] = names;
  if (name === undefined) return value;
  const fields = isJsonObject(target) ? target : {};
  return { ...fields, [name]: setAt(own(fields, name), rest, value) };
}
