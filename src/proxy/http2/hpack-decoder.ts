import {
  findName,
  type NameTable,
  REQUEST_NAMES,
  RESPONSE_NAMES,
  TOKEN_LOWER,
} from "../http/header-name.ts";
import { type UnderscoreAction, VALUE_BYTES } from "../http/parse-fields.ts";
import { latin1 } from "../net/latin1.ts";
import { FIELD, kindOfKnown, kindOfValue, type MessageSide, pseudoKind } from "./field-kind.ts";
import { decodeHuffman } from "./huffman.ts";
import { ENTRY_OVERHEAD, STATIC_COUNT, STATIC_TABLE } from "./static-table.ts";

/** Takes the fields of a header block, in order. */
export interface FieldSink {
  /** `kind` is one of `FIELD`, or `HEADER.plain` for what is only passed on. */
  onField(name: string, value: string, kind: number): void;
}

/** A field with what it means, found out once. */
interface Entry {
  readonly name: string;
  readonly value: string;
  readonly nameKind: number;
  readonly kind: number;
}

/** More bytes than this no integer of a header block takes (RFC 7541 5.1). */
const INTEGER_BYTES_MAX = 5;
const COLON = 58;
const SPACE = 32;
const TAB = 9;

const STATIC: Readonly<Record<MessageSide, readonly (Entry | undefined)[]>> = {
  request: staticEntries("request", REQUEST_NAMES),
  response: staticEntries("response", RESPONSE_NAMES),
};

/** Names and values that stand in Huffman's code are decoded in here. */
let scratch = Buffer.allocUnsafeSlow(8192);

/**
 * Reads header blocks (RFC 7541) of one connection. Entries of its tables hold their strings and
 * what they mean, so that an indexed field costs two look-ups and allocates nothing.
 *
 * A name or value that no header may have makes the message `malformed`, never the block: the
 * tables of both sides must stay the same.
 */
export class HpackDecoder {
  readonly #static: readonly (Entry | undefined)[];
  readonly #names: NameTable;
  readonly #side: MessageSide;
  readonly #marksUnderscores: boolean;
  /** What `SETTINGS_HEADER_TABLE_SIZE` allows the peer. */
  readonly #sizeMax: number;
  /** A ring: entry n of all stands at n modulo its length, which is a power of two. */
  #ring: Entry[] = [];
  #mask = -1;
  /** How many were inserted, and dropped, since the connection began. */
  #inserted = 0;
  #dropped = 0;
  #bytes = 0;
  #bytesMax: number;

  // Of the literal that is being read.
  #buffer: Buffer = scratch;
  #at = 0;
  #end = 0;
  #name = "";
  #nameKind: number = FIELD.plain;

  constructor(side: MessageSide, tableSize: number, underscores: UnderscoreAction) {
    this.#side = side;
    this.#static = STATIC[side];
    this.#names = side === "request" ? REQUEST_NAMES : RESPONSE_NAMES;
    this.#marksUnderscores = underscores !== "allow";
    this.#sizeMax = tableSize;
    this.#bytesMax = tableSize;
  }

  /** Reads a whole block in `buffer[from, to)`; false where it is none (COMPRESSION_ERROR). */
  decode(buffer: Buffer, from: number, to: number, sink: FieldSink): boolean {
    this.#buffer = buffer;
    this.#at = from;
    this.#end = to;
    let mayResize = true;
    while (this.#at < to) {
      const byte = buffer[this.#at++] ?? 0;
      if (byte >= 128) {
        const index = byte === 255 ? this.#integer(127) : byte & 127;
        const entry = this.#entry(index);
        if (entry === undefined) return false;
        sink.onField(entry.name, entry.value, entry.kind);
      } else if (byte >= 32 && byte < 64) {
        if (!mayResize || !this.#resize(byte & 31)) return false;
        continue;
      } else if (!this.#literal(byte, sink)) {
        return false;
      }
      mayResize = false;
    }
    return true;
  }

  #entry(index: number): Entry | undefined {
    if (index <= STATIC_COUNT) return this.#static[index];
    const at = this.#inserted - (index - STATIC_COUNT);
    return at < this.#dropped ? undefined : this.#ring[at & this.#mask];
  }

  #resize(bits: number): boolean {
    const size = bits === 31 ? this.#integer(31) : bits;
    if (size < 0 || size > this.#sizeMax) return false;
    this.#bytesMax = size;
    this.#evict(size);
    return true;
  }

  /** A field with a value, perhaps a name, of its own; it may go into the table. */
  #literal(byte: number, sink: FieldSink): boolean {
    const indexes = byte >= 64;
    const mask = indexes ? 63 : 15;
    const bits = byte & mask;
    const index = bits === mask ? this.#integer(mask) : bits;
    if (index === 0) {
      if (!this.#readName()) return false;
    } else {
      const entry = this.#entry(index);
      if (entry === undefined) return false;
      this.#name = entry.name;
      this.#nameKind = entry.nameKind;
    }
    const name = this.#name;
    const nameKind = this.#nameKind;
    const value = this.#string();
    if (value === undefined) return false;
    const kind = this.#isBadValue ? FIELD.malformed : kindOfValue(nameKind, value);
    if (indexes) this.#insert({ name, value, nameKind, kind });
    sink.onField(name, value, kind);
    return true;
  }

  #insert(entry: Entry): void {
    const size = entry.name.length + entry.value.length + ENTRY_OVERHEAD;
    this.#evict(this.#bytesMax - size);
    if (size > this.#bytesMax) return;
    const count = this.#inserted - this.#dropped;
    if (count > this.#mask) this.#grow();
    this.#ring[this.#inserted & this.#mask] = entry;
    this.#inserted++;
    this.#bytes += size;
  }

  #evict(bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#dropped < this.#inserted) {
      const entry = this.#ring[this.#dropped & this.#mask];
      this.#dropped++;
      if (entry === undefined) continue;
      this.#bytes -= entry.name.length + entry.value.length + ENTRY_OVERHEAD;
    }
  }

  #grow(): void {
    const mask = this.#mask === -1 ? 15 : this.#mask * 2 + 1;
    const grown: Entry[] = [];
    for (let at = 0; at <= mask; at++) grown.push(this.#static[1] as Entry);
    for (let at = this.#dropped; at < this.#inserted; at++) {
      grown[at & mask] = this.#ring[at & this.#mask] as Entry;
    }
    this.#ring = grown;
    this.#mask = mask;
  }

  /** The rest of an integer whose prefix was full; -1 where it is too long. */
  #integer(prefix: number): number {
    let value = prefix;
    let scale = 1;
    for (let count = 0; count < INTEGER_BYTES_MAX; count++) {
      if (this.#at >= this.#end) return -1;
      const byte = this.#buffer[this.#at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    return -1;
  }

  // The string that `#locate` found.
  #text: Buffer = scratch;
  #from = 0;
  #to = 0;
  #isBadValue = false;

  /** Finds the next string's bytes, decoded; false where there is none. */
  #locate(): boolean {
    if (this.#at >= this.#end) return false;
    const byte = this.#buffer[this.#at++] ?? 0;
    const length = (byte & 127) === 127 ? this.#integer(127) : byte & 127;
    const from = this.#at;
    if (length < 0 || length > this.#end - from) return false;
    this.#at = from + length;
    if (byte < 128) {
      this.#text = this.#buffer;
      this.#from = from;
      this.#to = from + length;
      return true;
    }
    if (length * 2 > scratch.length) scratch = Buffer.allocUnsafeSlow(length * 4);
    const end = decodeHuffman(this.#buffer, from, from + length, scratch);
    if (end < 0) return false;
    this.#text = scratch;
    this.#from = 0;
    this.#to = end;
    return true;
  }

  #string(): string | undefined {
    if (!this.#locate()) return undefined;
    const bytes = this.#text;
    let from = this.#from;
    let to = this.#to;
    // Blanks around a value are no part of it (RFC 9110 5.5); RFC 9113 8.2.1 would refuse them.
    while (from < to && isBlank(bytes[from])) from++;
    while (from < to && isBlank(bytes[to - 1])) to--;
    let at = from;
    while (at < to && VALUE_BYTES[bytes[at] ?? 0] === 1) at++;
    this.#isBadValue = at < to;
    return from === to ? "" : latin1(bytes, from, to);
  }

  /** Reads a name; one that is known is not made anew. */
  #readName(): boolean {
    if (!this.#locate()) return false;
    const bytes = this.#text;
    const from = this.#from;
    const to = this.#to;
    let hash = 0;
    let at = from;
    for (; at < to; at++) {
      const code = bytes[at] ?? 0;
      // Also an upper case letter.
      if (TOKEN_LOWER[code] !== code || code === 0) break;
      hash = (Math.imul(hash, 31) + code) | 0;
    }
    if (at === to && to > from) {
      const slot = findName(this.#names, bytes, from, to, hash);
      if (slot !== -1) {
        this.#name = this.#names.names[slot] ?? "";
        this.#nameKind = kindOfKnown(this.#names, slot);
        return true;
      }
      this.#name = latin1(bytes, from, to);
      const isMarked = this.#marksUnderscores && this.#name.includes("_");
      this.#nameKind = isMarked ? FIELD.underscore : FIELD.plain;
      return true;
    }
    this.#name = latin1(bytes, from, to);
    this.#nameKind = bytes[from] === COLON ? pseudoKind(this.#name, this.#side) : FIELD.malformed;
    return true;
  }
}

function isBlank(code: number | undefined): boolean {
  return code === SPACE || code === TAB;
}

/** From index 1. */
function staticEntries(side: MessageSide, table: NameTable): readonly (Entry | undefined)[] {
  const entries: (Entry | undefined)[] = [undefined];
  for (let at = 0; at < STATIC_TABLE.length; at += 2) {
    const slot = table.names.indexOf(STATIC_TABLE[at]);
    const name = table.names[slot] ?? STATIC_TABLE[at] ?? "";
    const value = STATIC_TABLE[at + 1] ?? "";
    let nameKind: number = slot === -1 ? FIELD.plain : kindOfKnown(table, slot);
    if (name.startsWith(":")) nameKind = pseudoKind(name, side);
    entries.push({ name, value, nameKind, kind: kindOfValue(nameKind, value) });
  }
  return entries;
}
