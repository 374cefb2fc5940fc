import { isJsonObject, own } from "../../config/json.ts";
import type { Kind, PrinterColumn } from "../../config/kind.ts";
import { AGE_COLUMN } from "../../config/kind.ts";
import type { KubeObject } from "../../config/object.ts";

/** What a client wants beside the cells: `includeObject`. */
export type IncludeObject = "None" | "Metadata" | "Object";

/** How a table is made. */
export interface TableOptions {
  readonly kind: Kind;
  readonly nowMs: number;
  readonly includeObject: IncludeObject;
  readonly resourceVersion?: string;
  /** Only the first table of a watch says its columns. */
  readonly hasColumns?: boolean;
}

/** `meta.k8s.io/v1 Table`: the cells that `kubectl get` prints. */
export function toTable(objects: readonly KubeObject[], options: TableOptions): object {
  const { kind, nowMs, includeObject, resourceVersion, hasColumns = true } = options;
  const columns = kind.printerColumns.length > 0 ? kind.printerColumns : [AGE_COLUMN];
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: resourceVersion === undefined ? {} : { resourceVersion },
    columnDefinitions: hasColumns ? columnDefinitions(columns) : [],
    rows: objects.map((object) => ({
      cells: [object.metadata.name, ...columns.map((column) => cellOf(object, column, nowMs))],
      ...(includeObject === "None"
        ? {}
        : { object: includeObject === "Object" ? object : toPartial(object) }),
    })),
  };
}

/** An object without anything but its metadata. */
export function toPartial({ metadata }: KubeObject): object {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}

function columnDefinitions(columns: readonly PrinterColumn[]): readonly object[] {
  const name = { name: "Name", type: "string", format: "name", description: "", priority: 0 };
  const rest = columns.map(({ name: columnName, type, description = "", priority = 0 }) => ({
    name: columnName,
    type: type === "date" ? "string" : type,
    format: "",
    description,
    priority,
  }));
  return [name, ...rest];
}

function cellOf(object: KubeObject, { cell, type }: PrinterColumn, nowMs: number): unknown {
  const value = typeof cell === "function" ? cell(object) : valueAt(object, cell);
  if (type === "date") return formatAge(value, nowMs);
  if (value === undefined) return null;
  return typeof value === "object" ? JSON.stringify(value) : value;
}

function valueAt(object: KubeObject, path: string): unknown {
  let value: unknown = object;
  for (const name of path.slice(1).split(".")) {
    value = isJsonObject(value) ? own(value, name) : undefined;
  }
  return value;
}

function formatAge(time: unknown, nowMs: number): string {
  const atMs = typeof time === "string" ? Date.parse(time) : Number.NaN;
  return Number.isNaN(atMs) ? "<unknown>" : formatDuration(nowMs - atMs);
}

/** As kubectl writes ages: two units at most, fewer the longer it is. */
export function formatDuration(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${minutes}m${rest(seconds % 60, "s")}`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return `${hours}h${rest(minutes % 60, "m")}`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return `${days}d${rest(hours % 24, "h")}`;
  if (days < 365 * 2) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? `${years}y${rest(days % 365, "d")}` : `${years}y`;
}

function rest(amount: number, unit: string): string {
  return amount === 0 ? "" : `${amount}${unit}`;
}
