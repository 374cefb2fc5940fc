import { KINDS } from "../../src/config/kinds.ts";
import { meshConfigSchema } from "../../src/config/mesh-config.ts";
import type { Schema } from "../../src/config/schema.ts";
import { whyWithoutEffect } from "../../src/model/mesh-config-support.ts";
import { type Field, listFields } from "../field-paths.ts";
import { type Support, type SupportTable, says } from "./entry.ts";

/** The fields that the page lists of a kind: those of its `spec`; of MeshConfig, all. */
export function fieldsOf(kind: string): readonly Field[] {
  if (kind === "MeshConfig") return listFields(meshConfigSchema, "");
  const found = KINDS.find((one) => one.kind === kind);
  const spec = found?.schema.properties?.["spec"];
  if (spec === undefined) throw new Error(`no kind ${kind} that has a spec`);
  return listFields(spec, "spec");
}

/**
 * What is said about a field: in the table under its own path, by its schema, or about what it is
 * below. The path in the table is added to `used`.
 */
export function findSupport(
  kind: string,
  { path, marked: byItself }: Field,
  table: SupportTable,
  used = new Set<string>(),
): Support | undefined {
  let at = path;
  if (table[at] === undefined) {
    const marked = markOf(byItself) ?? (kind === "MeshConfig" ? meshMarkOf(path) : undefined);
    if (marked !== undefined) return marked;
  }
  while (at !== "" && table[at] === undefined) at = at.replace(/(\.?[^.[\]{}]+|\[\]|\{\})$/, "");
  const support = table[at];
  if (support !== undefined) used.add(at);
  return support;
}

/** What a schema's own mark comes to, in `config/validate.ts`. */
function markOf(schema: Schema | undefined): Support | undefined {
  if (schema === undefined) return undefined;
  if (schema["x-weft-not-built"] === true) {
    return says("refused: is not supported yet", "src/config/validate.test.ts");
  }
  const why = schema["x-weft-no-effect"];
  if (why === undefined) return undefined;
  return says(`warning: has no effect: ${why}`, "src/config/validate.test.ts");
}

/** What the model says about a field of MeshConfig that it does nothing with. */
function meshMarkOf(path: string): Support | undefined {
  const why = whyWithoutEffect(path);
  if (why === undefined) return undefined;
  return says(`warning: has no effect: ${why}`, "src/model/mesh-config.test.ts");
}
