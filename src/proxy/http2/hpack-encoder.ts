import { writeLatin1 } from "../net/latin1.ts";
import { encodeHuffman, huffmanLength } from "./huffman.ts";
import { ENTRY_OVERHEAD, STATIC_COUNT, STATIC_TABLE } from "./static-table.ts";

/** Of one name, as many values are remembered that have been sent once. */
const SEEN_VALUES_MAX = 8;
/** Longer values are not remembered, nor put into the table. */
const VALUE_LENGTH_MAX = 1024;
/** Names beyond this many are sent as they are. */
const NAMES_MAX = 256;
/** Strings up to this length are copied faster by a loop than by a call into Node. */
const LOOP_LENGTH_MAX = 24;
/** Cookies shorter than this may be guessed by their effect on lengths (RFC 7541 7.1.3). */
const GUESSED_COOKIE_LENGTH = 20;

/** How a field may stand in a block. */
const POLICY = {
  /** Into the table when it comes for the second time. */
  adaptive: 0,
  /** Not into the table: its values hardly ever come again. */
  without: 1,
  /** Nobody on the way may put it into a table: it is a secret. */
  never: 2,
  /** A secret when it is short. */
  cookie: 3,
} as const;

const POLICIES: Readonly<Record<string, number>> = {
  authorization: POLICY.never,
  "proxy-authorization": POLICY.never,
  cookie: POLICY.cookie,
  "set-cookie": POLICY.never,
  age: POLICY.without,
  "content-length": POLICY.without,
  etag: POLICY.without,
  "if-modified-since": POLICY.without,
  "if-none-match": POLICY.without,
  location: POLICY.without,
  traceparent: POLICY.without,
  "x-b3-parentspanid": POLICY.without,
  "x-b3-spanid": POLICY.without,
  "x-b3-traceid": POLICY.without,
  "x-request-id": POLICY.without,
};

/** What an encoder knows of one header name. */
interface Name {
  readonly text: string;
  readonly policy: number;
  /** Where the name stands in the static table; 0 when it does not. */
  readonly staticIndex: number;
  /** The number of the last entry of the dynamic table with it. */
  lastEntry: number;
  /**
   * By value: above 0 the number of its entry of the dynamic table, 0 for one that was sent once,
   * below 0 the index in the static table.
   */
  readonly values: Map<string, number>;
  seen: number;
  /** The value that stood in a table the last time, and where, as `values` has it; 0 for none. */
  recent: string;
  recentEntry: number;
  /** What came after it in a block the last time. */
  next: Name | undefined;
}

function createName(text: string, staticIndex: number): Name {
  return {
    text,
    policy: POLICIES[text] ?? POLICY.adaptive,
    staticIndex,
    lastEntry: 0,
    values: new Map<string, number>(),
    seen: 0,
    recent: "",
    recentEntry: 0,
    next: undefined,
  };
}

interface Entry {
  readonly name: Name;
  readonly value: string;
  readonly size: number;
}

/**
 * Writes header blocks (RFC 7541) of one connection.
 *
 * A field goes into the dynamic table when it is sent for the second time: what never comes again
 * (paths with numbers in them, times) would push out what does. What goes into the table is in
 * Huffman's code, as it is sent once; other literals are plain, which costs both sides less.
 *
 * Blocks are much like each other: which name follows which, and with which value, is guessed by the
 * last time before it is looked up.
 */
export class HpackEncoder {
  readonly #names = new Map<string, Name>();
  /** Before the first field of a block. */
  readonly #start = createName("", 0);
  /** The name of the last field of this block that had one to keep. */
  #last = this.#start;
  /** What we would use of the table that the peer allows. */
  readonly #bytesWanted: number;
  #bytesMax: number;
  /** The smallest size since the last block, which has to be said; -1 when nothing has. */
  #smallest = -1;
  #entries: Entry[] = [];
  /** How many entries have been dropped, and of them how many still stand in `#entries`. */
  #dropped = 0;
  #first = 0;
  #inserted = 0;
  #bytes = 0;

  #buffer: Buffer = EMPTY;
  /** Where the next byte goes. */
  at = 0;

  constructor(tableSize: number) {
    this.#bytesWanted = tableSize;
    // What every peer allows until it says something else.
    this.#bytesMax = Math.min(tableSize, 4096);
    if (tableSize < 4096) this.#smallest = tableSize;
    for (let at = 0; at < STATIC_TABLE.length; at += 2) {
      const value = STATIC_TABLE[at + 1] ?? "";
      const name = this.#name(STATIC_TABLE[at] ?? "", at / 2 + 1);
      if (value !== "") name?.values.set(value, -(at / 2 + 1));
    }
  }

  /** The peer's `SETTINGS_HEADER_TABLE_SIZE`. */
  setTableSize(size: number): void {
    const bytesMax = Math.min(size, this.#bytesWanted);
    if (bytesMax === this.#bytesMax) return;
    this.#smallest = this.#smallest === -1 ? bytesMax : Math.min(this.#smallest, bytesMax);
    this.#bytesMax = bytesMax;
    this.#evict(bytesMax);
  }

  /**
   * Begins a block. The buffer must have room for `FIELD_BYTES_MAX` and the lengths of name and
   * value for each field, and for `BLOCK_BYTES_MAX` besides.
   */
  begin(buffer: Buffer, at: number): void {
    this.#buffer = buffer;
    this.at = at;
    this.#last = this.#start;
    if (this.#smallest === -1) return;
    if (this.#smallest < this.#bytesMax) this.#integer(32, 31, this.#smallest);
    this.#integer(32, 31, this.#bytesMax);
    this.#smallest = -1;
  }

  /** `text` must hold characters up to 255 only, each one byte; `name` in lower case. */
  field(text: string, value: string): void {
    const name = this.#find(text);
    if (name === undefined || value.length > VALUE_LENGTH_MAX) {
      return this.#literal(name === undefined ? 0 : patternOf(name), name, text, value);
    }
    if (name.policy !== POLICY.adaptive) {
      if (name.policy === POLICY.without) return this.#literal(0, name, text, value);
      const isSecret = name.policy === POLICY.never || value.length < GUESSED_COOKIE_LENGTH;
      if (isSecret) return this.#literal(16, name, text, value);
    }
    const known = this.#known(name, value);
    if (known === undefined) {
      this.#remember(name, value);
      return this.#literal(0, name, text, value);
    }
    if (known < 0) return this.#integer(128, 127, -known);
    if (known > 0) return this.#integer(128, 127, STATIC_COUNT + this.#inserted - known + 1);
    this.#indexed(name, text, value);
  }

  #find(text: string): Name | undefined {
    const guess = this.#last.next;
    const name = guess?.text === text ? guess : this.#name(text, 0);
    if (name === undefined) return undefined;
    this.#last.next = name;
    this.#last = name;
    return name;
  }

  #name(text: string, staticIndex: number): Name | undefined {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#names.size >= NAMES_MAX) return undefined;
    const name = createName(text, staticIndex);
    this.#names.set(text, name);
    return name;
  }

  /** What `values` has of that value. */
  #known(name: Name, value: string): number | undefined {
    const { recentEntry } = name;
    // An entry of the dynamic table may have been dropped since.
    const isThere = recentEntry < 0 || recentEntry > this.#dropped;
    if (isThere && name.recent === value) return recentEntry;
    const known = name.values.get(value);
    if (known === undefined || known === 0) return known;
    name.recent = value;
    name.recentEntry = known;
    return known;
  }

  /** Notes a value that comes for the first time. */
  #remember(name: Name, value: string): void {
    const { values } = name;
    if (name.seen >= SEEN_VALUES_MAX) {
      for (const [key, entry] of values) if (entry === 0) values.delete(key);
      name.seen = 0;
    }
    values.set(value, 0);
    name.seen++;
  }

  /** Writes a field and puts it into the table. */
  #indexed(name: Name, text: string, value: string): void {
    const size = text.length + value.length + ENTRY_OVERHEAD;
    if (size > this.#bytesMax) return this.#literal(0, name, text, value);
    this.#begin(64, 63, name, text, true);
    this.#coded(value);
    this.#evict(this.#bytesMax - size);
    this.#inserted++;
    this.#bytes += size;
    this.#entries.push({ name, value, size });
    name.values.set(value, this.#inserted);
    name.lastEntry = this.#inserted;
    name.seen--;
  }

  #evict(bytesMax: number): void {
    while (this.#bytes > bytesMax) {
      const entry = this.#entries[this.#first++];
      if (entry === undefined) break;
      this.#dropped++;
      this.#bytes -= entry.size;
      entry.name.values.delete(entry.value);
    }
    if (this.#first < 64) return;
    this.#entries.splice(0, this.#first);
    this.#first = 0;
  }

  #literal(pattern: number, name: Name | undefined, text: string, value: string): void {
    this.#begin(pattern, 15, name, text, false);
    this.#plain(value);
  }

  /** The first part of a literal: its pattern, and its name by index or as it is. */
  #begin(
    pattern: number,
    prefix: number,
    name: Name | undefined,
    text: string,
    isCoded: boolean,
  ): void {
    if (name !== undefined && name.staticIndex !== 0) {
      return this.#integer(pattern, prefix, name.staticIndex);
    }
    if (name !== undefined && name.lastEntry > this.#dropped) {
      return this.#integer(pattern, prefix, STATIC_COUNT + this.#inserted - name.lastEntry + 1);
    }
    this.#buffer[this.at++] = pattern;
    if (isCoded) this.#coded(text);
    else this.#plain(text);
  }

  #integer(pattern: number, prefix: number, value: number): void {
    const buffer = this.#buffer;
    if (value < prefix) {
      buffer[this.at++] = pattern | value;
      return;
    }
    buffer[this.at++] = pattern | prefix;
    let left = value - prefix;
    for (; left >= 128; left = Math.floor(left / 128)) buffer[this.at++] = (left & 127) | 128;
    buffer[this.at++] = left;
  }

  #plain(text: string): void {
    const { length } = text;
    this.#integer(0, 127, length);
    const buffer = this.#buffer;
    let { at } = this;
    if (length > LOOP_LENGTH_MAX) writeLatin1(buffer, text, at);
    else for (let mark = 0; mark < length; mark++) buffer[at + mark] = text.charCodeAt(mark);
    at += length;
    this.at = at;
  }

  #coded(text: string): void {
    const length = huffmanLength(text);
    if (length >= text.length) return this.#plain(text);
    this.#integer(128, 127, length);
    this.at = encodeHuffman(text, this.#buffer, this.at);
  }
}

/** The first bits of a literal of that name that does not go into the table. */
function patternOf({ policy }: Name): number {
  return policy === POLICY.never ? 16 : 0;
}

/** What a field takes at most beside the bytes of its name and value. */
export const FIELD_BYTES_MAX = 16;
/** What a block takes at most beside its fields. */
export const BLOCK_BYTES_MAX = 16;

const EMPTY = Buffer.alloc(0);
