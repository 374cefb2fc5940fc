import type { KubeObject } from "../../config/object.ts";
import type { RestRequest } from "./context.ts";
import { getObject, inVersion } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Predicate } from "./selector.ts";
import { fieldPredicate, labelPredicate } from "./selector.ts";
import { ApiError } from "./status.ts";
import type { IncludeObject } from "./table.ts";
import { toPartial, toTable } from "./table.ts";

/** The form that a client wants objects in. */
export type Form = "object" | "table" | "partial";

/** The first form of the `Accept` header that there is; JSON objects when it does not say. */
export function negotiate({ accept }: Exchange): Form {
  if (accept.trim() === "") return "object";
  for (const entry of accept.split(",")) {
    const [type = "", ...parameters] = entry.split(";").map((part) => part.trim().toLowerCase());
    if (!["application/json", "application/*", "*/*"].includes(type)) continue;
    const as = parameters.find((one) => one.startsWith("as="))?.slice(3);
    const isV1 = !parameters.some((one) => one.startsWith("v=") && one !== "v=v1");
    if (as === undefined) return "object";
    if (as === "table" && isV1) return "table";
    if (as.startsWith("partialobjectmetadata") && isV1) return "partial";
  }
  throw new ApiError("NotAcceptable", `only application/json is served: got "${accept}"`);
}

/** `includeObject` of a table. */
export function includeObjectOf({ query }: Exchange): IncludeObject {
  const wanted = query.get("includeObject") ?? "Metadata";
  if (wanted === "None" || wanted === "Metadata" || wanted === "Object") return wanted;
  throw new ApiError(
    "BadRequest",
    `includeObject must be None, Metadata or Object: got "${wanted}"`,
  );
}

/** Label and field selector of the query, both of which must hold. */
export function selectorOf({ exchange, path }: RestRequest): Predicate {
  const { query } = exchange;
  const byLabels = labelPredicate(query.get("labelSelector") ?? "");
  const byFields = fieldPredicate(query.get("fieldSelector") ?? "", path.kind);
  const { name } = path;
  return (object) =>
    (name === undefined || object.metadata.name === name) && byLabels(object) && byFields(object);
}

/** `GET` of one object. */
export function serveGet(request: RestRequest): void {
  sendObject(request, 200, getObject(request));
}

/** Answers with one object in the form that was asked for. */
export function sendObject(request: RestRequest, code: number, stored: KubeObject): void {
  const { context, exchange, path } = request;
  const object = inVersion(stored, path);
  switch (negotiate(exchange)) {
    case "object":
      return exchange.sendJson(code, object);
    case "partial":
      return exchange.sendJson(code, toPartial(object));
    case "table":
      return exchange.sendJson(
        code,
        toTable([object], {
          kind: path.kind,
          nowMs: context.clock.nowMs(),
          includeObject: includeObjectOf(exchange),
          resourceVersion: object.metadata.resourceVersion ?? "",
        }),
      );
  }
}

/** `GET` of a collection. There are no pages: `limit` is a wish, everything is an answer to it. */
export function serveList(request: RestRequest): void {
  const { context, exchange, path } = request;
  const { kind, namespace } = path;
  const selects = selectorOf(request);
  const { items, revision } = context.storage.list(storageSelector(request));
  checkListOptions(exchange, revision);
  const found = items.filter(selects);
  sendList(request, found, String(revision));
  context.log.debug("list", {
    kind: kind.kind,
    namespace: namespace ?? "",
    count: found.length,
  });
}

/** Answers with a list of objects in the form that was asked for. */
export function sendList(
  { context, exchange, path }: RestRequest,
  found: readonly KubeObject[],
  resourceVersion: string,
): void {
  const { kind, version } = path;
  const items = found.map((object) => inVersion(object, path));
  switch (negotiate(exchange)) {
    case "object": {
      const apiVersion = kind.group === "" ? version : `${kind.group}/${version}`;
      const metadata = { resourceVersion };
      return exchange.sendJson(200, { kind: kind.listKind, apiVersion, metadata, items });
    }
    case "partial":
      return exchange.sendJson(200, {
        kind: "PartialObjectMetadataList",
        apiVersion: "meta.k8s.io/v1",
        metadata: { resourceVersion },
        items: items.map(toPartial),
      });
    case "table": {
      const nowMs = context.clock.nowMs();
      const includeObject = includeObjectOf(exchange);
      return exchange.sendJson(
        200,
        toTable(items, { kind, nowMs, includeObject, resourceVersion }),
      );
    }
  }
}

/** What of the storage a collection is. */
export function storageSelector({ path }: RestRequest): {
  readonly group: string;
  readonly kind: string;
  readonly namespace?: string;
} {
  const { kind, namespace } = path;
  return {
    group: kind.group,
    kind: kind.kind,
    ...(namespace === undefined ? {} : { namespace }),
  };
}

function checkListOptions({ query }: Exchange, revision: number): void {
  if ((query.get("continue") ?? "") !== "") {
    throw new ApiError("Expired", "the continue parameter is too old: lists have no pages here");
  }
  const wanted = query.get("resourceVersion") ?? "";
  if (query.get("resourceVersionMatch") === "Exact" && wanted !== String(revision)) {
    throw new ApiError("Expired", `too old resource version: ${wanted} (${revision})`);
  }
}
