import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { parse } from "yaml";
import {
  type LayeredRuntime,
  LayeredRuntimeSchema,
  type RuntimeLayer,
  RuntimeLayer_AdminLayerSchema,
  RuntimeLayerSchema,
} from "../api/gen/envoy/config/bootstrap/v3/bootstrap_pb.js";
import type { Issue } from "../base/issue.ts";
import { joinPath, refuseFields } from "../match/refuse-fields.ts";

/** A value of the runtime: a number, or a share of requests, 0 to 1. */
export interface RuntimeValue {
  /** As it was written; of a share, as JSON. */
  readonly text: string;
  /** A whole number, not negative. */
  readonly number: number | undefined;
  /** Any number. */
  readonly double: number | undefined;
  readonly share: number | undefined;
  readonly flag: boolean | undefined;
}

/** One layer: what it says wins over those before it, key by key. */
export interface RuntimeLayerConfig {
  readonly name: string;
  /** Whether the admin port fills it; there is at most one such layer. */
  readonly isAdmin: boolean;
  readonly values: ReadonlyMap<string, RuntimeValue>;
}

/** Decodes the runtime layers of a bootstrap; an admin layer is empty at first. */
export function decodeRuntime(
  message: LayeredRuntime | undefined,
  issues: Issue[],
): readonly RuntimeLayerConfig[] {
  if (message === undefined) return [];
  issues.push(...refuseFields(LayeredRuntimeSchema, message, ["layers"], "layered_runtime"));
  const names = new Set<string>();
  const admins = message.layers.filter((layer) => layer.layerSpecifier.case === "adminLayer");
  if (admins.length > 1) {
    const what = "Too many admin layers specified in LayeredRuntime, at most one may be specified";
    issues.push({ path: "layered_runtime", message: what });
  }
  return message.layers.map((layer, at) => {
    const path = `layered_runtime.layers[${at}]`;
    if (names.has(layer.name)) {
      issues.push({ path, message: `Duplicate layer name: ${layer.name}` });
    }
    names.add(layer.name);
    const values = new Map<string, RuntimeValue>();
    decodeLayer(layer, path, values, issues);
    return { name: layer.name, isAdmin: layer.layerSpecifier.case === "adminLayer", values };
  });
}

/**
 * Reads a value that the admin port is told, as YAML, for a key; what is wrong with either stands in
 * the issues.
 */
export function readRuntimeText(
  key: string,
  text: string,
  issues: Issue[],
): RuntimeValue | undefined {
  const values = new Map<string, RuntimeValue>();
  let value: JsonValue = text;
  try {
    value = parse(text) as JsonValue;
  } catch {
    // It is text then.
  }
  addValue(key, value, { values, path: "runtime", issues });
  const read = values.get(key);
  return read && { ...read, text };
}

function decodeLayer(
  layer: RuntimeLayer,
  path: string,
  values: Map<string, RuntimeValue>,
  issues: Issue[],
): void {
  const handled = ["name", "static_layer", "admin_layer"];
  issues.push(...refuseFields(RuntimeLayerSchema, layer, handled, path));
  const { layerSpecifier: specifier } = layer;
  if (specifier.case === "adminLayer") {
    const at = joinPath(path, "admin_layer");
    issues.push(...refuseFields(RuntimeLayer_AdminLayerSchema, specifier.value, [], at));
  } else if (specifier.case === "staticLayer") {
    addStruct(specifier.value, "", { values, path: joinPath(path, "static_layer"), issues });
  } else if (specifier.case === undefined) {
    issues.push({ path, message: "layer specifier must be set" });
  }
}

interface Target {
  readonly values: Map<string, RuntimeValue>;
  readonly path: string;
  readonly issues: Issue[];
}

/** Keys of nested mappings are joined by dots; a mapping with a numerator is a share. */
function addStruct(struct: JsonObject, prefix: string, target: Target): void {
  for (const [name, value] of Object.entries(struct)) {
    const key = prefix === "" ? name : `${prefix}.${name}`;
    addValue(key, value, target);
  }
}

const DENOMINATORS: Readonly<Record<string, number>> = {
  HUNDRED: 100,
  TEN_THOUSAND: 10_000,
  MILLION: 1_000_000,
};

function addValue(key: string, value: JsonValue, target: Target): void {
  const { values, path, issues } = target;
  const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isMapping || "numerator" in value || "denominator" in value) refuseFlag(key, path, issues);
  if (Array.isArray(value) || value === null) {
    issues.push({ path: `${path}["${key}"]`, message: "Invalid runtime entry value" });
  } else if (typeof value !== "object") {
    values.set(key, readScalar(value));
  } else if ("numerator" in value || "denominator" in value) {
    const named = value["denominator"] ?? "HUNDRED";
    const denominator = typeof named === "string" ? DENOMINATORS[named] : undefined;
    const numerator = Number(value["numerator"] ?? 0);
    // Envoy passes over such a value; nobody can have meant that.
    if (denominator === undefined || !(numerator >= 0)) {
      issues.push({ path: `${path}["${key}"]`, message: "is no fraction" });
      return;
    }
    values.set(key, {
      text: JSON.stringify(value),
      number: undefined,
      double: undefined,
      share: Math.min(1, numerator / denominator),
      flag: undefined,
    });
  } else addStruct(value, key, target);
}

/** Text that is a number counts as one; what is neither a number nor a share has no value. */
function readScalar(value: string | number | boolean): RuntimeValue {
  const text = String(value);
  const number = typeof value === "boolean" ? Number.NaN : Number(value);
  // Text is no flag, whatever it says.
  const flag = typeof value === "string" ? undefined : Boolean(value);
  const double = value === "" || Number.isNaN(number) ? undefined : number;
  if (double === undefined || !Number.isInteger(double) || double < 0) {
    return { text, number: undefined, double, share: undefined, flag };
  }
  return { text, number: double, double, share: Math.min(1, double / 100), flag };
}

/**
 * Keys that change Envoy itself, not what its configuration names, are refused: they would change
 * nothing here.
 */
const FLAGS =
  /^(?:envoy\.|re2\.|overload\.|upstream\.|health_check\.|http\.|tracing\.|http2\.|ssl\.)/;

/** Of those, the ones that are heeded, or change nothing here: the matcher has its own bound. */
const KNOWN_FLAGS = [
  "health_check.max_interval",
  "health_check.min_interval",
  "health_check.verify_cluster",
  "re2.max_program_size.error_level",
  "re2.max_program_size.warn_level",
  "tracing.client_enabled",
  "tracing.global_enabled",
  "tracing.opentelemetry.flush_interval_ms",
  "tracing.opentelemetry.min_flush_spans",
  "tracing.random_sampling",
  "tracing.zipkin.flush_interval_ms",
  "tracing.zipkin.min_flush_spans",
  "tracing.zipkin.request_timeout",
  "upstream.healthy_panic_threshold",
  "upstream.zone_routing.enabled",
  "upstream.zone_routing.force_local_zone.min_size",
  "upstream.zone_routing.min_cluster_size",
];

/** Heeded by the listener of that name. */
const LISTENER_LIMIT = /^envoy\.resource_limits\.listener\..+\.connection_limit$/;

function refuseFlag(key: string, path: string, issues: Issue[]): void {
  if (!FLAGS.test(key) || KNOWN_FLAGS.includes(key) || LISTENER_LIMIT.test(key)) return;
  issues.push({ path, message: `the key "${key}" is not supported yet` });
}
