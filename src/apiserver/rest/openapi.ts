import { createHash } from "node:crypto";
import type { Kind } from "../../config/kind.ts";
import type { Schema } from "../../config/schema.ts";
import { groupsOf, versionsOf } from "./discovery.ts";
import type { Exchange } from "./exchange.ts";
import { ApiError } from "./status.ts";

/** `/openapi/v3`, the index and a document per group and version; and what kubectl needs of v2. */
export function serveOpenApi(exchange: Exchange, kinds: readonly Kind[]): void {
  const [, version, ...rest] = exchange.segments;
  if (version === "v2" && rest.length === 0) {
    exchange.sendJson(200, { swagger: "2.0", info: INFO, paths: {}, definitions: {} });
    return;
  }
  if (version !== "v3") throw new ApiError("NotFound", `there is no OpenAPI "${version}"`);
  const documents = groupVersions(kinds);
  if (rest.length === 0) {
    const paths = documents.map(({ path, group, version: one }) => {
      const hash = createHash("sha256")
        .update(JSON.stringify(toDocument(group, one, kinds)))
        .digest("hex");
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash.slice(0, 32)}` }];
    });
    exchange.sendJson(200, { paths: Object.fromEntries(paths) as object });
    return;
  }
  const found = documents.find(({ path }) => path === rest.join("/"));
  if (found === undefined) throw new ApiError("NotFound", `there is no "${rest.join("/")}"`);
  exchange.sendJson(200, toDocument(found.group, found.version, kinds));
}

const INFO = { title: "weft", version: "v1" };

function groupVersions(
  kinds: readonly Kind[],
): readonly { readonly path: string; readonly group: string; readonly version: string }[] {
  return ["", ...groupsOf(kinds)].flatMap((group) =>
    versionsOf(kinds.filter((one) => one.group === group)).map((version) => ({
      path: group === "" ? `api/${version}` : `apis/${group}/${version}`,
      group,
      version,
    })),
  );
}

function toDocument(group: string, version: string, kinds: readonly Kind[]): object {
  const served = kinds.filter((one) => one.group === group && one.versions.includes(version));
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const schemas: Record<string, object> = {};
  const paths: Record<string, object> = {};
  for (const kind of served) {
    const gvk = { group, version, kind: kind.kind };
    const name = `${group.split(".").toReversed().join(".") || "core"}.${version}.${kind.kind}`;
    schemas[name] = { ...publish(kind.schema), "x-kubernetes-group-version-kind": [gvk] };
    const room = kind.isNamespaced ? "/namespaces/{namespace}" : "";
    const $ref = `#/components/schemas/${name}`;
    paths[`${root}${room}/${kind.plural}`] = {
      get: operation("list", gvk, $ref),
      post: operation("post", gvk, $ref),
    };
    paths[`${root}${room}/${kind.plural}/{name}`] = {
      get: operation("get", gvk, $ref),
      put: operation("put", gvk, $ref),
      patch: operation("patch", gvk, $ref),
      delete: operation("delete", gvk, $ref),
    };
  }
  return { openapi: "3.0.0", info: INFO, paths, components: { schemas } };
}

function operation(action: string, gvk: object, $ref: string): object {
  const takesBody = action === "post" || action === "put" || action === "patch";
  const ok = { description: "OK", content: { "application/json": { schema: { $ref } } } };
  return {
    // kubectl leaves validation to a server that says it has this parameter.
    ...(takesBody
      ? { parameters: [{ name: "fieldValidation", in: "query", schema: { type: "string" } }] }
      : {}),
    responses: { 200: ok },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": gvk,
  };
}

/** A schema for readers: what is not built says so in its description. */
function publish(schema: Schema): Schema {
  const { properties, items, additionalProperties, description = "" } = schema;
  const notes: string[] = [];
  if (schema["x-weft-not-built"] === true) notes.push("Not supported yet.");
  const built = schema["x-weft-built-values"];
  if (built !== undefined)
    notes.push(`Supported so far: ${built.map((one) => JSON.stringify(one)).join(", ")}.`);
  const why = schema["x-weft-no-effect"];
  if (why !== undefined) notes.push(`Has no effect: ${why}.`);
  const text = [description, ...notes].filter((one) => one !== "").join(" ");
  return {
    ...schema,
    ...(text === "" ? {} : { description: text }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, field]) => [name, publish(field)]),
          ),
        }),
    ...(items === undefined ? {} : { items: publish(items) }),
    ...(typeof additionalProperties === "object"
      ? { additionalProperties: publish(additionalProperties) }
      : {}),
  };
}
