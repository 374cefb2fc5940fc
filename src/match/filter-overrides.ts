import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type FilterConfig,
  FilterConfigSchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import { refuseFields } from "./refuse-fields.ts";

/**
 * Decodes what a route says to one HTTP filter, by the type of the `Any`: the filter's own value.
 * Answers `undefined` after an issue; "unknown" when no filter has that type.
 */
export type FilterOverrideDecoder = (
  named: { readonly name: string; readonly any: Any; readonly path: string },
  issues: Issue[],
) => object | "unknown" | undefined;

/** A filter's value that takes from a less specific level what it leaves open. */
export interface InheritingOverride {
  readonly inherit: (less: object) => object;
}

/** What a table, virtual host, route or weighted cluster says to the HTTP filter of a name. */
export interface FilterOverride {
  /** The filter is left out; `undefined` when no level says so or not. */
  readonly isDisabled: boolean | undefined;
  /** That of the most specific level that has one; the filter's decoder knows its type. */
  readonly config: object | undefined;
}

/** By the filter's name in the connection manager. */
export type FilterOverrides = ReadonlyMap<string, FilterOverride>;

export const NO_OVERRIDES: FilterOverrides = new Map();

/** Decodes `typed_per_filter_config` of one level. */
export function decodeOverrides(
  configs: Readonly<Record<string, Any>>,
  { decode, path, issues }: { decode: FilterOverrideDecoder; path: string; issues: Issue[] },
): FilterOverrides {
  const overrides = new Map<string, FilterOverride>();
  for (const [name, given] of Object.entries(configs)) {
    const at = `${path}["${name}"]`;
    const wrapper = unpackWrapper(given, at, issues);
    if (wrapper === "broken") continue;
    if (wrapper?.disabled === true) {
      overrides.set(name, { isDisabled: true, config: undefined });
      continue;
    }
    const any = wrapper === undefined ? given : wrapper.config;
    const isOptional = wrapper?.isOptional === true;
    if (any === undefined) {
      issues.push({
        path: at,
        message: `Empty route/virtual host per filter configuration for ${name} filter`,
      });
      continue;
    }
    const config = decode({ name, any, path: at }, issues);
    if (config === "unknown" && isOptional) continue;
    if (config === "unknown") issues.push({ path: at, message: unknownFilter(name, any) });
    else if (config !== undefined) overrides.set(name, { isDisabled: false, config });
  }
  return overrides.size === 0 ? NO_OVERRIDES : overrides;
}

function unknownFilter(name: string, { typeUrl }: Any): string {
  const typeName = typeUrl.replace(/^.*\//, "");
  return `Didn't find a registered implementation for '${name}' with type URL: '${typeName}'`;
}

/** `FilterConfig`, which may stand around the filter's own message. */
function unpackWrapper(
  any: Any,
  path: string,
  issues: Issue[],
): FilterConfig | "broken" | undefined {
  try {
    const wrapper = anyUnpack(any, FilterConfigSchema);
    if (wrapper === undefined) return undefined;
    const fields = ["config", "is_optional", "disabled"];
    issues.push(...refuseFields(FilterConfigSchema, wrapper, fields, path));
    return wrapper;
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    issues.push({ path, message: `cannot be decoded as ${FilterConfigSchema.typeName}: ${cause}` });
    return "broken";
  }
}

/** The more specific of two levels wins, filter by filter. */
export function mergeOverrides(less: FilterOverrides, more: FilterOverrides): FilterOverrides {
  if (more.size === 0) return less;
  if (less.size === 0) return more;
  const merged = new Map(less);
  for (const [name, { isDisabled, config }] of more) {
    merged.set(name, { isDisabled, config: mergeConfigs(config, less.get(name)?.config) });
  }
  return merged;
}

function mergeConfigs(more: object | undefined, less: object | undefined): object | undefined {
  if (more === undefined || less === undefined) return more ?? less;
  return "inherit" in more ? (more as InheritingOverride).inherit(less) : more;
}
