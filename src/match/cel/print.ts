import type { CelValue } from "@bufbuild/cel";
import { toJson } from "@bufbuild/protobuf";
import {
  type Duration,
  DurationSchema,
  type Timestamp,
  TimestampSchema,
} from "@bufbuild/protobuf/wkt";
import type { MetadataValue } from "../match-request.ts";
import { sixDigits } from "../six-digits.ts";
import { wireText } from "../wire-text.ts";
import { celPackages } from "./packages.ts";

/** A value as Envoy writes it into a text. */
export function printCel(value: CelValue): string {
  if (typeof value === "string") return wireText(value);
  if (typeof value === "number") return sixDigits(value);
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (value === null) return "NULL";
  const { isCelList, isCelMap, isCelType, isCelUint } = celPackages();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
  if (isCelUint(value)) return String(value.value);
  if (isCelList(value)) return "CelList value";
  if (isCelMap(value)) return "CelMap value";
  if (isCelType(value)) return "CelType value";
  const { message } = value;
  if (message.$typeName === TimestampSchema.typeName) return printTimestamp(message as Timestamp);
  if (message.$typeName === DurationSchema.typeName) return printDuration(message as Duration);
  return "CelMap value";
}

const fraction = (nanos: number): string =>
  nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;

function printTimestamp({ seconds, nanos }: Timestamp): string {
  const text = new Date(Number(seconds) * 1000).toISOString().substring(0, 19);
  return `${text}${fraction(nanos)}+00:00`;
}

const UNITS = [
  ["ms", 1_000_000],
  ["us", 1000],
  ["ns", 1],
] as const;

/** `1h30m`, `1.5s`, `538.219us`: as Abseil writes it. */
function printDuration({ seconds, nanos }: Duration): string {
  const total = seconds * 1_000_000_000n + BigInt(nanos);
  if (total === 0n) return "0";
  const sign = total < 0n ? "-" : "";
  const size = total < 0n ? -total : total;
  const whole = size / 1_000_000_000n;
  const rest = Number(size % 1_000_000_000n);
  if (whole === 0n) {
    const [unit, nanosOf] = UNITS.find(([, one]) => rest >= one) ?? UNITS[2];
    return `${sign}${rest / nanosOf}${unit}`;
  }
  const hours = whole / 3600n;
  const minutes = (whole % 3600n) / 60n;
  const left = `${whole % 60n}${fraction(rest)}`;
  return (
    sign +
    (hours > 0n ? `${hours}h` : "") +
    (minutes > 0n ? `${minutes}m` : "") +
    (left === "0" ? "" : `${left}s`)
  );
}

/** A value as it stands in JSON; `undefined` where JSON has nothing like it. */
export function celJson(value: CelValue): MetadataValue | undefined {
  if (typeof value === "string") return wireText(value);
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "bigint") return Number(value);
  if (value === null) return null;
  const { isCelList, isCelMap, isCelType, isCelUint } = celPackages();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (isCelUint(value)) return Number(value.value);
  if (isCelList(value)) return listJson([...value]);
  if (isCelMap(value)) return mapJson([...value.entries()]);
  if (isCelType(value)) return undefined;
  const { message } = value;
  if (message.$typeName === TimestampSchema.typeName) {
    return toJson(TimestampSchema, message as Timestamp);
  }
  return message.$typeName === DurationSchema.typeName
    ? toJson(DurationSchema, message as Duration)
    : undefined;
}

function listJson(values: readonly CelValue[]): MetadataValue | undefined {
  const all = values.map(celJson);
  return all.every((one) => one !== undefined) ? all : undefined;
}

function mapJson(entries: readonly (readonly [unknown, CelValue])[]): MetadataValue | undefined {
  const found: Record<string, MetadataValue> = {};
  for (const [key, value] of entries) {
    const json = celJson(value);
    if (typeof key !== "string" || json === undefined) return undefined;
    found[wireText(key)] = json;
  }
  return found;
}
