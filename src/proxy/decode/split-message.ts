import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/**
 * An encoded message, divided into the items of one repeated field and all other fields, without
 * a look inside. Fields of a message may come in any order; here the items stand in one run.
 */
export interface SplitMessage {
  readonly bytes: Uint8Array;
  /** Where each item begins, with its tag; one more for the end of the last. */
  readonly bounds: Int32Array;
  /** The other fields, in order: the message without its items. */
  readonly rest: Uint8Array;
}

/** A split, and which items are those of the message that it was compared with. */
export interface ComparedSplit extends SplitMessage {
  /** So many of the first items are the same. */
  readonly sameFirst: number;
  /** So many of the last items are the same, beside those. */
  readonly sameLast: number;
}

const NOTHING: SplitMessage = {
  bytes: new Uint8Array(0),
  bounds: new Int32Array(1),
  rest: new Uint8Array(0),
};

/**
 * Splits a message by a repeated field of messages. What it has in common with `previous` at its
 * beginning and at its end is not read again, so that a small change costs little. Throws where
 * the bytes are no message.
 */
export function splitMessage(
  bytes: Uint8Array,
  fieldNo: number,
  previous: SplitMessage = NOTHING,
): ComparedSplit {
  const { bytes: oldBytes, bounds: oldBounds } = previous;
  const first = skipOthers(bytes, 0, fieldNo);
  const oldFirst = oldBounds[0] ?? 0;
  const sameBytes = commonPrefix(bytes.subarray(first), oldBytes.subarray(oldFirst));
  const sameFirst = firstFrom(oldBounds, oldFirst + sameBytes + 1) - 1;
  const oldFrom = oldBounds[sameFirst] ?? 0;
  const from = first + oldFrom - oldFirst;
  const sameEnd = commonSuffix(bytes.subarray(from), oldBytes.subarray(oldFrom));
  const read = readItems(bytes, from, fieldNo, previous, oldBytes.length - sameEnd);
  if (read === undefined) return splitMessage(inOneRun(bytes, fieldNo), fieldNo, previous);
  const bounds = joinBounds(
    [oldBounds.subarray(0, sameFirst), first - oldFirst],
    [new Int32Array(read.starts), 0],
    read.oldEnd === undefined
      ? [Int32Array.of(read.end), 0]
      : [oldBounds.subarray(read.oldEnd), bytes.length - oldBytes.length],
  );
  const last = bounds[bounds.length - 1] ?? 0;
  const sameLast = read.oldEnd === undefined ? 0 : oldBounds.length - 1 - read.oldEnd;
  const rest = Buffer.concat([bytes.subarray(0, first), bytes.subarray(last)]);
  return { bytes, bounds, rest, sameFirst, sameLast };
}

/** How many items there are. */
export function itemCount({ bounds }: SplitMessage): number {
  return bounds.length - 1;
}

/** The message that an item is, without its tag and length. */
export function itemBody({ bytes, bounds }: SplitMessage, at: number): Uint8Array {
  const reader = new BinaryReader(bytes);
  reader.pos = bounds[at] ?? 0;
  reader.tag();
  return reader.bytes();
}

/** The bytes of an item as text, to look it up by. */
export function itemText({ bytes, bounds }: SplitMessage, at: number): string {
  const { buffer, byteOffset } = bytes;
  const [start, end] = [bounds[at] ?? 0, bounds[at + 1] ?? 0];
  return Buffer.from(buffer, byteOffset + start, end - start).toString("latin1");
}

/** Bytes that are kept to compare the next ones with: not the whole response that they came in. */
export function ownBytes(given: Uint8Array): Uint8Array {
  return given.length * 2 < given.buffer.byteLength ? new Uint8Array(given) : given;
}

/** What is the same at both ends is taken over, the rest made; nothing where it cannot be made. */
export function keepSame<T>(
  split: ComparedSplit,
  old: readonly T[],
  make: (at: number) => T | undefined,
): readonly T[] {
  const { sameFirst, sameLast } = split;
  const kept = old.slice(0, sameFirst);
  const end = itemCount(split) - sameLast;
  for (let at = sameFirst; at < end; at++) {
    const made = make(at);
    if (made !== undefined) kept.push(made);
  }
  return sameLast === 0 ? kept : kept.concat(old.slice(old.length - sameLast));
}

/** What came of the old items between both ends, by their bytes: some may only have moved. */
export function changedItems<T>(
  { sameFirst, sameLast, bounds }: ComparedSplit,
  old: SplitMessage | undefined,
  values: readonly T[],
): ReadonlyMap<string, T[]> {
  const byText = new Map<string, T[]>();
  const isAllTheSame = sameFirst + sameLast === bounds.length - 1;
  if (old === undefined || isAllTheSame) return byText;
  for (let at = sameFirst; at < itemCount(old) - sameLast; at++) {
    const value = values[at];
    if (value === undefined) continue;
    const text = itemText(old, at);
    const alike = byText.get(text);
    if (alike === undefined) byText.set(text, [value]);
    else alike.push(value);
  }
  return byText;
}

/** A text field of an encoded message, "" where it is not set. Throws where it is no message. */
export function readText(body: Uint8Array, fieldNo: number): string {
  const reader = new BinaryReader(body);
  let text = "";
  while (reader.pos < reader.len) {
    const [no, type] = reader.tag();
    if (no === fieldNo && type === WireType.LengthDelimited) text = reader.string();
    else reader.skip(type, no);
  }
  return text;
}

function isItem(no: number, type: WireType, fieldNo: number): boolean {
  return no === fieldNo && type === WireType.LengthDelimited;
}

/** Where the first item begins, at or behind the field that begins at `from`. */
function skipOthers(bytes: Uint8Array, from: number, fieldNo: number): number {
  const reader = new BinaryReader(bytes);
  reader.pos = from;
  while (reader.pos < bytes.length) {
    const start = reader.pos;
    const [no, type] = reader.tag();
    if (isItem(no, type, fieldNo)) return start;
    reader.skip(type, no);
  }
  return bytes.length;
}

/** Items that were read one by one. */
interface ReadItems {
  readonly starts: readonly number[];
  readonly end: number;
  /** The old bound from which on everything is the same; `undefined` for none. */
  readonly oldEnd: number | undefined;
}

/**
 * Reads items until all that follows is the same as in the old message, which is sure only where a
 * field begins in both, or until there are no more. `undefined` when they do not stand in one run.
 */
function readItems(
  bytes: Uint8Array,
  from: number,
  fieldNo: number,
  { bytes: oldBytes, bounds: oldBounds }: SplitMessage,
  oldSameFrom: number,
): ReadItems | undefined {
  const shift = bytes.length - oldBytes.length;
  const starts: number[] = [];
  const reader = new BinaryReader(bytes);
  reader.pos = from;
  let old = firstFrom(oldBounds, oldSameFrom);
  while (reader.pos < bytes.length) {
    const start = reader.pos;
    while (old < oldBounds.length && (oldBounds[old] ?? 0) + shift < start) old++;
    if (old < oldBounds.length && (oldBounds[old] ?? 0) + shift === start) {
      return { starts, end: start, oldEnd: old };
    }
    const [no, type] = reader.tag();
    if (!isItem(no, type, fieldNo)) {
      const isOneRun = skipOthers(bytes, start, fieldNo) === bytes.length;
      return isOneRun ? { starts, end: start, oldEnd: undefined } : undefined;
    }
    starts.push(start);
    reader.skip(type, no);
  }
  return { starts, end: bytes.length, oldEnd: undefined };
}

/** The same message with its items behind all else; their order and that of the rest stay. */
function inOneRun(bytes: Uint8Array, fieldNo: number): Uint8Array {
  const reader = new BinaryReader(bytes);
  const items: Uint8Array[] = [];
  const others: Uint8Array[] = [];
  while (reader.pos < bytes.length) {
    const start = reader.pos;
    const [no, type] = reader.tag();
    reader.skip(type, no);
    (isItem(no, type, fieldNo) ? items : others).push(bytes.subarray(start, reader.pos));
  }
  return Buffer.concat([...others, ...items]);
}

/** Lists of bounds in one, each moved by so much. */
function joinBounds(...parts: readonly (readonly [Int32Array, number])[]): Int32Array {
  const joined = new Int32Array(parts.reduce((sum, [bounds]) => sum + bounds.length, 0));
  let to = 0;
  for (const [bounds, shift] of parts) {
    for (let at = 0; at < bounds.length; at++) joined[to++] = (bounds[at] ?? 0) + shift;
  }
  return joined;
}

/** The index of the first that is at least `value`, of sorted numbers; their count when none is. */
function firstFrom(sorted: Int32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many bytes are the same at the beginning. */
function commonPrefix(left: Uint8Array, right: Uint8Array): number {
  return bisect(
    Math.min(left.length, right.length),
    (from, to) => Buffer.compare(left.subarray(from, to), right.subarray(from, to)) === 0,
  );
}

/** How many bytes are the same at the end. */
function commonSuffix(left: Uint8Array, right: Uint8Array): number {
  const tail = (bytes: Uint8Array, from: number, to: number): Uint8Array =>
    bytes.subarray(bytes.length - to, bytes.length - from);
  return bisect(
    Math.min(left.length, right.length),
    (from, to) => Buffer.compare(tail(left, from, to), tail(right, from, to)) === 0,
  );
}

/** How many bytes are the same, up to `most`: by halves, which the machine compares at once. */
function bisect(most: number, areSame: (from: number, to: number) => boolean): number {
  if (areSame(0, most)) return most;
  let same = 0;
  let differs = most;
  while (differs - same > 1) {
    const middle = (same + differs) >> 1;
    if (areSame(same, middle)) same = middle;
    else differs = middle;
  }
  return same;
}
