import {
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  hasOption,
  isFieldSet,
  type Message,
} from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  type DoubleRules,
  type DurationRules,
  type EnumRules,
  type FieldRules,
  KnownRegex,
  required,
  rules,
  type StringRules,
  type UInt32Rules,
  type UInt64Rules,
} from "../api/gen/validate/validate_pb.js";
import type { Issue } from "../base/issue.ts";
import { joinPath } from "../match/refuse-fields.ts";

/** Says what is wrong with one value in words, or nothing. */
type Check = (value: unknown) => string | undefined;

/** One field and what its values must be; compiled once for each message type. */
interface FieldChecks {
  readonly field: DescField;
  readonly isRequired: boolean;
  readonly checks: readonly Check[];
  readonly itemChecks: readonly Check[];
  readonly keyChecks: readonly Check[];
}

interface MessageChecks {
  readonly fields: readonly FieldChecks[];
  readonly oneofs: readonly DescOneof[];
}

const COMPILED = new Map<string, MessageChecks>();

/**
 * Holds a message to the rules that stand in its .proto file (`validate.rules`), which Envoy
 * checks before anything else. What an `Any` holds is checked where it is unpacked.
 */
export function checkRules(schema: DescMessage, message: Message, path: string): Issue[] {
  const issues: Issue[] = [];
  walk(schema, message, path, issues);
  return issues;
}

function walk(schema: DescMessage, message: Message, path: string, issues: Issue[]): void {
  const { fields, oneofs } = checksOf(schema);
  for (const oneof of oneofs) {
    if (oneof.fields.some((field) => isFieldSet(message, field))) continue;
    const names = oneof.fields.map(({ name }) => name).join(", ");
    issues.push({ path, message: `must have one of ${names}` });
  }
  for (const checks of fields) {
    const { field } = checks;
    const fieldPath = joinPath(path, field.name);
    // A scalar that is not there counts as its zero, and so do an empty list and an empty map.
    const isThere = isFieldSet(message, field) || (field.oneof === undefined && isPlain(field));
    if (isThere) checkField(checks, read(message, field), fieldPath, issues);
    else if (checks.isRequired) issues.push({ path: fieldPath, message: "is missing" });
  }
}

function isPlain(field: DescField): boolean {
  return field.fieldKind !== "message";
}

function read(message: Message, field: DescField): unknown {
  const values = message as unknown as Readonly<Record<string, unknown>>;
  if (field.oneof === undefined) return values[field.localName];
  return (values[field.oneof.localName] as { readonly value?: unknown }).value;
}

function checkField(checks: FieldChecks, value: unknown, path: string, issues: Issue[]): void {
  const { field } = checks;
  hold(checks.checks, value, path, issues);
  if (field.fieldKind === "list") {
    if (checks.itemChecks.length === 0 && !hasRulesInside(field)) return;
    for (const [at, item] of (value as readonly unknown[]).entries()) {
      const itemPath = `${path}[${at}]`;
      hold(checks.itemChecks, item, itemPath, issues);
      descend(field, item, itemPath, issues);
    }
  } else if (field.fieldKind === "map") {
    for (const [key, item] of Object.entries(value as object)) {
      const itemPath = `${path}["${key}"]`;
      hold(checks.keyChecks, key, itemPath, issues);
      descend(field, item, itemPath, issues);
    }
  } else descend(field, value, path, issues);
}

function hold(all: readonly Check[], value: unknown, path: string, issues: Issue[]): void {
  for (const check of all) {
    const problem = check(value);
    if (problem !== undefined) issues.push({ path, message: problem });
  }
}

function descend(field: DescField, value: unknown, path: string, issues: Issue[]): void {
  if (field.message === undefined || isOpaque(field.message)) return;
  walk(field.message, value as Message, path, issues);
}

function hasRulesInside({ message }: DescField): boolean {
  return message !== undefined && !isOpaque(message);
}

/** Messages of protobuf itself have no rules within. */
function isOpaque({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.");
}

function checksOf(schema: DescMessage): MessageChecks {
  const known = COMPILED.get(schema.typeName);
  if (known !== undefined) return known;
  const compiled = {
    fields: schema.fields.map(compileField).filter(isWorthIt),
    oneofs: schema.oneofs.filter((oneof) => hasOption(oneof, required)),
  };
  COMPILED.set(schema.typeName, compiled);
  return compiled;
}

function isWorthIt({ field, isRequired, checks, itemChecks, keyChecks }: FieldChecks): boolean {
  return (
    hasRulesInside(field) || isRequired || checks.length + itemChecks.length + keyChecks.length > 0
  );
}

function compileField(field: DescField): FieldChecks {
  const isDuration = field.message?.typeName === "google.protobuf.Duration";
  const own: Check[] = isDuration && field.fieldKind === "message" ? [isNotNegative] : [];
  const given = hasOption(field, rules) ? getOption(field, rules) : undefined;
  if (given === undefined) {
    return { field, isRequired: false, checks: own, itemChecks: [], keyChecks: [] };
  }
  const { type, message } = given;
  const items = type.case === "repeated" ? type.value.items : undefined;
  const keys = type.case === "map" ? type.value.keys : undefined;
  return {
    field,
    // Of a oneof only the member that is set counts.
    isRequired:
      field.oneof === undefined &&
      (message?.required === true ||
        ((type.case === "duration" || type.case === "any") && type.value.required)),
    checks: [...own, ...compileRules(given, field)],
    itemChecks: items === undefined ? [] : compileRules(items, field),
    keyChecks: keys === undefined ? [] : compileRules(keys, field),
  };
}

function compileRules({ type }: FieldRules, field: DescField): Check[] {
  if (type.case === "string") return stringChecks(type.value);
  if (type.case === "uint32" || type.case === "uint64" || type.case === "double") {
    return numberChecks(type.value);
  }
  if (type.case === "duration") return durationChecks(type.value);
  if (type.case === "enum") return enumChecks(type.value, field);
  if (type.case === "repeated") return sizeChecks(type.value.minItems, type.value.maxItems);
  if (type.case === "map") return sizeChecks(type.value.minPairs, type.value.maxPairs);
  if (type.case !== "bool") return [];
  const { const: only } = { ...type.value };
  return only === undefined ? [] : [(value) => unless(value === only, `must be ${only}`)];
}

function unless(isGood: boolean, problem: string): string | undefined {
  return isGood ? undefined : problem;
}

function sizeChecks(min: bigint | undefined, max: bigint | undefined): Check[] {
  const size = (value: unknown): number =>
    Array.isArray(value) ? value.length : Object.keys(value as object).length;
  const checks: Check[] = [];
  if (min !== undefined && min > 0n) {
    checks.push((value) => unless(size(value) >= min, `must have at least ${min} entries`));
  }
  if (max !== undefined && max > 0n) {
    checks.push((value) => unless(size(value) <= max, `must have at most ${max} entries`));
  }
  return checks;
}

/** What a header's name or value may hold: `strict` leaves out all control characters. */
const HEADER_NAME = /^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]*$/;
const HEADER_VALUE = /^[\t -~\u0080-\u{10ffff}]*$/u;
const ONE_LINE = /^[^\0\n\r]*$/;

function stringChecks(given: StringRules): Check[] {
  const { minLen, maxBytes, wellKnown, strict } = given;
  const checks: Check[] = [];
  if (minLen > 0n) {
    const problem = minLen === 1n ? "is empty" : `must have at least ${minLen} characters`;
    checks.push((value) => unless((value as string).length >= minLen, problem));
  }
  if (maxBytes > 0n) {
    checks.push((value) =>
      unless(Buffer.byteLength(value as string) <= maxBytes, `is longer than ${maxBytes} bytes`),
    );
  }
  if (given.in.length > 0) {
    const problem = `must be one of ${given.in.join(", ")}`;
    checks.push((value) => unless(given.in.includes(value as string), problem));
  }
  if (wellKnown.case === "wellKnownRegex") {
    const isName = wellKnown.value === KnownRegex.HTTP_HEADER_NAME;
    const allowed = strict ? (isName ? HEADER_NAME : HEADER_VALUE) : ONE_LINE;
    checks.push((value) =>
      unless(allowed.test(value as string), "has a character that no header may have"),
    );
  }
  return checks;
}

interface Bounds {
  readonly gt?: number | bigint;
  readonly gte?: number | bigint;
  readonly lt?: number | bigint;
  readonly lte?: number | bigint;
}

function numberChecks(given: UInt32Rules | UInt64Rules | DoubleRules): Check[] {
  // One that is not set reads as zero, and is no bound (the rules are proto2).
  return boundChecks({ ...given }, (value) => value as number | bigint, "");
}

function durationChecks({ gt, gte, lt, lte }: DurationRules): Check[] {
  const bounds = Object.entries({ gt, gte, lt, lte }).flatMap(([name, bound]) =>
    bound === undefined ? [] : [[name, seconds(bound)]],
  );
  return boundChecks(Object.fromEntries(bounds), (value) => seconds(value as Duration), "s");
}

function boundChecks(
  { gt, gte, lt, lte }: Bounds,
  of: (value: unknown) => number | bigint,
  unit: string,
): Check[] {
  const checks: Check[] = [];
  const add = (isGood: (value: number | bigint) => boolean, what: string): void => {
    checks.push((value) => unless(isGood(of(value)), `must be ${what}${unit}`));
  };
  if (gt !== undefined) add((value) => value > gt, `greater than ${gt}`);
  if (gte !== undefined) add((value) => value >= gte, `at least ${gte}`);
  if (lt !== undefined) add((value) => value < lt, `less than ${lt}`);
  if (lte !== undefined) add((value) => value <= lte, `at most ${lte}`);
  return checks;
}

function seconds({ seconds: whole, nanos }: Duration): number {
  return Number(whole) + nanos / 1e9;
}

/** No rule of any field, but Envoy takes no negative time anywhere. */
function isNotNegative(value: unknown): string | undefined {
  return unless(seconds(value as Duration) >= 0, "must not be negative");
}

function enumChecks({ definedOnly, notIn }: EnumRules, field: DescField): Check[] {
  const known = field.enum?.value;
  if (known === undefined) return [];
  return [
    (value) => {
      const number = value as number;
      if (definedOnly === true && known[number] === undefined) return `${number} is not known`;
      return unless(!notIn.includes(number), `cannot be ${known[number]?.name ?? number}`);
    },
  ];
}
