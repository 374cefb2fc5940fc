import type { Issue } from "../../base/issue.ts";
import { isError } from "../../base/issue.ts";
import type { DecodeOptions } from "../../config/decode.ts";
import { decodeAs } from "../../config/decode.ts";
import { isJsonObject, jsonTypeOf, own } from "../../config/json.ts";
import type { KubeObject } from "../../config/object.ts";
import type { DeleteOptions } from "../../storage/storage.ts";
import { StorageError } from "../../storage/storage.ts";
import type { RestRequest } from "./context.ts";
import { getObject, inStoredVersion, inVersion, keyOfPath } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { jsonPatch, mergePatch } from "./patch.ts";
import { selectorOf, sendList, sendObject, storageSelector } from "./read.ts";
import { ApiError, fromStorageError, invalidObject, successStatus } from "./status.ts";
import { strategicMergePatch } from "./strategic-merge.ts";

const PERMANENT_NAMESPACES = ["default", "kube-system"];

/** `POST` of a collection. */
export async function serveCreate(request: RestRequest): Promise<void> {
  const { context, exchange, path } = request;
  const raw = withDefaults(await exchange.body(), request);
  const { status: _status, ...object } = decode(request, raw) as KubeObject & { status?: unknown };
  checkNamespace(request);
  const { initialStatus } = path.kind;
  const initial = initialStatus === undefined ? object : { ...object, status: initialStatus };
  const created = await storing(request, object.metadata.name, () =>
    context.storage.create(inStoredVersion(initial, path.kind), dryRunOf(exchange)),
  );
  sendObject(request, 201, created);
}

/** `PUT` of an object or of its status. */
export async function serveUpdate(request: RestRequest): Promise<void> {
  const { exchange, path } = request;
  const old = getObject(request);
  const raw = withDefaults(await exchange.body(), request);
  const updated = await update(request, old, raw);
  sendObject({ ...request, path }, 200, updated);
}

/** `PATCH` of an object or of its status. */
export async function servePatch(request: RestRequest): Promise<void> {
  const { exchange } = request;
  const patch = await patchBody(exchange);
  // Nothing is awaited between reading and writing: a patch that names no version cannot conflict.
  const old = getObject(request);
  const patched = applyPatch(request, inVersion(old, request.path), patch);
  sendObject(request, 200, await update(request, old, patched));
}

/** `DELETE` of an object. */
export async function serveDelete(request: RestRequest): Promise<void> {
  const { exchange, path } = request;
  const options = deleteOptions(exchange, await exchange.body());
  const object = getObject(request);
  checkRemovable(request, object.metadata.name);
  const result = await storing(request, object.metadata.name, () =>
    request.context.storage.delete(keyOfPath(path), options),
  );
  if (options.isDryRun !== true && request.context.storage.get(keyOfPath(path)) !== undefined) {
    return sendObject(request, 200, result);
  }
  const { name, uid = "" } = result.metadata;
  const { group, plural } = path.kind;
  exchange.sendJson(200, successStatus({ name, group, kind: plural, uid }));
}

/** `DELETE` of a collection: of all that the selectors name. */
export async function serveDeleteCollection(request: RestRequest): Promise<void> {
  const { context, exchange, path } = request;
  const options = deleteOptions(exchange, await exchange.body());
  const { items } = context.storage.list(storageSelector(request));
  const found = items.filter(selectorOf(request));
  for (const { metadata } of found) checkRemovable(request, metadata.name);
  for (const { metadata } of found) {
    const key = keyOfPath({ ...path, namespace: metadata.namespace ?? "", name: metadata.name });
    try {
      await context.storage.delete(key, options);
    } catch (error) {
      // One that went with its owner, a moment ago, is what was asked for.
      if (error instanceof StorageError && error.reason === "NotFound") continue;
      throw fromStorageError(error, path.kind, metadata.name);
    }
  }
  sendList(request, found, String(context.storage.list(storageSelector(request)).revision));
}

/** Checks and stores the new form of an object. */
async function update(request: RestRequest, old: KubeObject, raw: unknown): Promise<KubeObject> {
  const { context, exchange, path } = request;
  const { subresource } = path;
  const decoded = decode(request, raw);
  const object = path.kind.carryOver?.(decoded, old) ?? decoded;
  if (object.metadata.name !== old.metadata.name) {
    const message = `the name of the object (${object.metadata.name}) does not match the name on the URL (${old.metadata.name})`;
    throw new ApiError("BadRequest", message);
  }
  if (subresource === undefined) {
    const issues = path.kind.validateUpdate?.(object, old) ?? [];
    if (issues.some(isError)) throw invalidObject(path.kind, old.metadata.name, issues);
  }
  const isStatus = subresource === "status";
  const options = { ...dryRunOf(exchange), ...(isStatus ? ({ subresource } as const) : {}) };
  return storing(request, object.metadata.name, () =>
    context.storage.update(inStoredVersion(object, path.kind), options),
  );
}

/** What a client sends may leave out what its path says already. */
function withDefaults(raw: unknown, { path }: RestRequest): unknown {
  if (raw === undefined) throw new ApiError("BadRequest", "the body is empty, an object is needed");
  if (!isJsonObject(raw)) {
    throw new ApiError("BadRequest", `the body must be an object: got ${jsonTypeOf(raw)}`);
  }
  const { kind } = path;
  const apiVersion = kind.group === "" ? path.version : `${kind.group}/${path.version}`;
  const said = { apiVersion: own(raw, "apiVersion"), kind: own(raw, "kind") };
  if ((said.kind ?? kind.kind) !== kind.kind || (said.apiVersion ?? apiVersion) !== apiVersion) {
    const got = `${JSON.stringify(said.kind)} in ${JSON.stringify(said.apiVersion)}`;
    throw new ApiError("BadRequest", `expected ${kind.kind} in "${apiVersion}": got ${got}`);
  }
  const metadata = own(raw, "metadata");
  if (!isJsonObject(metadata)) return { ...raw, apiVersion, kind: kind.kind };
  const { name, namespace } = path;
  const inside = own(metadata, "namespace") ?? "";
  if (namespace !== undefined && inside !== "" && inside !== namespace) {
    const message = `the namespace of the object (${JSON.stringify(inside)}) does not match the namespace on the URL ("${namespace}")`;
    throw new ApiError("BadRequest", message);
  }
  const filled = {
    ...metadata,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined || own(metadata, "name") !== undefined ? {} : { name }),
  };
  return { ...raw, apiVersion, kind: kind.kind, metadata: filled };
}

/** Holds an object against its kind; warnings go out with the answer. */
function decode({ context, exchange, path }: RestRequest, raw: unknown): KubeObject {
  const { kind } = path;
  const result = decodeAs(kind, raw, { unknownFields: unknownFieldsOf(exchange) });
  const issues: readonly Issue[] = result.ok ? (result.warnings ?? []) : result.issues;
  exchange.warn(issues.filter((issue) => !isError(issue)));
  if (!result.ok) throw invalidObject(kind, nameIn(raw), issues);
  const { metadata } = result.value;
  if (kind.isNamespaced && (metadata.namespace ?? "") === "") {
    throw new ApiError("BadRequest", "an object of this kind needs a namespace, on the URL");
  }
  if (path.subresource === undefined) exchange.warn(context.hooks.warn?.(result.value) ?? []);
  return result.value;
}

function unknownFieldsOf({ query }: Exchange): NonNullable<DecodeOptions["unknownFields"]> {
  const said = query.get("fieldValidation") ?? "";
  switch (said) {
    case "":
    case "Strict":
      return "error";
    case "Warn":
      return "warning";
    case "Ignore":
      return "ignore";
    default:
      throw new ApiError(
        "BadRequest",
        `fieldValidation must be Strict, Warn or Ignore: got "${said}"`,
      );
  }
}

function nameIn(raw: unknown): string {
  const metadata = isJsonObject(raw) ? own(raw, "metadata") : undefined;
  const name = isJsonObject(metadata) ? own(metadata, "name") : undefined;
  return typeof name === "string" ? name : "";
}

/** Objects need a namespace that is there and stays. */
function checkNamespace({ context, path }: RestRequest): void {
  const { namespace } = path;
  if (namespace === undefined) return;
  const key = { group: "", kind: "Namespace", namespace: "", name: namespace };
  const found = context.storage.get(key);
  const details = { name: namespace, kind: "namespaces" };
  if (found === undefined) {
    throw new ApiError("NotFound", `namespaces "${namespace}" not found`, details);
  }
  if (found.metadata.deletionTimestamp !== undefined) {
    const message = `namespace ${namespace} is being terminated, nothing can be created in it`;
    throw new ApiError("Forbidden", message, details);
  }
}

/** The namespaces that everything else counts on stay, as in Kubernetes. */
function checkRemovable({ path: { kind } }: RestRequest, name: string): void {
  if (kind.group !== "" || kind.kind !== "Namespace" || !PERMANENT_NAMESPACES.includes(name))
    return;
  const details = { name, kind: kind.plural };
  const message = `namespaces "${name}" is forbidden: this namespace may not be deleted`;
  throw new ApiError("Forbidden", message, details);
}

async function patchBody(exchange: Exchange): Promise<{
  readonly type: "merge" | "json" | "strategic";
  readonly patch: unknown;
}> {
  const { contentType } = exchange;
  switch (contentType) {
    case "application/merge-patch+json":
      return { type: "merge", patch: await exchange.body() };
    case "application/json-patch+json":
      return { type: "json", patch: await exchange.body() };
    case "application/strategic-merge-patch+json":
      return { type: "strategic", patch: await exchange.body() };
    case "application/apply-patch+yaml":
      throw new ApiError(
        "UnsupportedMediaType",
        "server-side apply is not supported yet: leave --server-side out",
      );
    default:
      throw new ApiError("UnsupportedMediaType", `there is no patch of type "${contentType}"`);
  }
}

function applyPatch(
  { path }: RestRequest,
  target: KubeObject,
  { type, patch }: Awaited<ReturnType<typeof patchBody>>,
): unknown {
  if (type === "json") {
    const result = jsonPatch(target, patch);
    if (result.ok) return result.value;
    throw new ApiError("BadRequest", result.issues.map(({ message }) => message).join("; "));
  }
  if (!isJsonObject(patch)) {
    throw new ApiError("BadRequest", `the patch must be an object: got ${jsonTypeOf(patch)}`);
  }
  return type === "merge"
    ? mergePatch(target, patch)
    : strategicMergePatch(target, patch, path.kind.schema);
}

function deleteOptions(exchange: Exchange, body: unknown): DeleteOptions {
  const { query } = exchange;
  const given = isJsonObject(body) ? body : {};
  if ((own(given, "orphanDependents") ?? query.get("orphanDependents") ?? null) !== null) {
    throw new ApiError("BadRequest", "orphanDependents is not supported, use propagationPolicy");
  }
  const dryRun = own(given, "dryRun");
  const isDryRun = Array.isArray(dryRun) && dryRun.includes("All") ? { isDryRun: true } : {};
  const grace = own(given, "gracePeriodSeconds") ?? exchange.count("gracePeriodSeconds");
  const propagation =
    own(given, "propagationPolicy") ?? query.get("propagationPolicy") ?? undefined;
  const preconditions = own(given, "preconditions");
  const { uid, resourceVersion } = (isJsonObject(preconditions) ? preconditions : {}) as {
    uid?: unknown;
    resourceVersion?: unknown;
  };
  if (grace !== undefined && !(Number.isInteger(grace) && Number(grace) >= 0)) {
    throw new ApiError(
      "BadRequest",
      `gracePeriodSeconds must not be negative: got ${JSON.stringify(grace)}`,
    );
  }
  const known = ["Background", "Foreground", "Orphan"] as const;
  const policy = known.find((one) => one === propagation);
  if (propagation !== undefined && policy === undefined) {
    const message = `propagationPolicy must be one of ${known.join(", ")}: got ${JSON.stringify(propagation)}`;
    throw new ApiError("BadRequest", message);
  }
  return {
    ...dryRunOf(exchange),
    ...isDryRun,
    ...(grace === undefined ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === undefined ? {} : { propagation: policy }),
    ...(typeof uid === "string" ? { uid } : {}),
    ...(typeof resourceVersion === "string" ? { resourceVersion } : {}),
  };
}

/** `dryRun=All`: everything but the write. */
export function dryRunOf({ query }: Exchange): { readonly isDryRun?: true } {
  const values = query.getAll("dryRun");
  if (values.length === 0) return {};
  if (values.every((value) => value === "All")) return { isDryRun: true };
  throw new ApiError("BadRequest", `dryRun must be All: got "${values.join(",")}"`);
}

async function storing<T>(
  { path }: RestRequest,
  name: string,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw fromStorageError(error, path.kind, name);
  }
}
