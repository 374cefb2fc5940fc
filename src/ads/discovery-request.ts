/**
 * Requests of both variants, read from bytes by hand: a request names every cluster of a mesh again
 * and again, so that list stays bytes until it is known to be a new one.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type Node, NodeSchema } from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { Result } from "../base/issue.ts";
import { type NameSet, type NameSets, NO_NAMES } from "./name-sets.ts";

/** Characters of a refusal that are kept. */
const ERROR_LENGTH_MAX = 8192;

/** What both variants say. */
interface RequestCommon {
  readonly typeUrl: string;
  /** "" when it answers nothing. */
  readonly nonce: string;
  /** Why the response with that nonce was refused; absent when it was not. */
  readonly error?: string;
  /** Whether it names resources by `resource_locators`. */
  readonly hasLocators: boolean;
  /** Who asks; a client need only say so once per stream. */
  readonly node: () => Result<Node | undefined>;
}

/** A request of the state of the world: all the names that the client wants. */
export interface SotwRequest extends RequestCommon {
  readonly versionInfo: string;
  readonly names: NameSet;
}

/** An incremental request: what it wants besides, and no more. */
export interface DeltaRequest extends RequestCommon {
  readonly subscribe: NameSet;
  readonly unsubscribe: readonly string[];
  /** By name, what the client still has from an earlier stream. */
  readonly initialVersions: Map<string, string>;
}

/** Reads a `DiscoveryRequest`. */
export function decodeSotwRequest(bytes: Uint8Array, sets: NameSets): Result<SotwRequest> {
  return guarded("DiscoveryRequest", () => {
    const fields = new FieldWalk(bytes);
    const texts: Record<number, string> = {};
    let node: Uint8Array | undefined;
    let error: string | undefined;
    let hasLocators = false;
    const names = new NameList(bytes, 3, sets);
    while (fields.next()) {
      const { field } = fields;
      if (field === 3) names.note(fields);
      else if (field === 2) node = fields.bytes();
      else if (field === 6) error = messageOf(fields.bytes());
      else if (field === 7) hasLocators = true;
      else texts[field] = fields.text();
    }
    return {
      versionInfo: texts[1] ?? "",
      typeUrl: texts[4] ?? "",
      nonce: texts[5] ?? "",
      ...(error !== undefined && { error }),
      hasLocators,
      names: names.intern(),
      node: () => nodeOf(node),
    };
  });
}

/** Reads a `DeltaDiscoveryRequest`. */
export function decodeDeltaRequest(bytes: Uint8Array, sets: NameSets): Result<DeltaRequest> {
  return guarded("DeltaDiscoveryRequest", () => {
    const fields = new FieldWalk(bytes);
    const texts: Record<number, string> = {};
    let node: Uint8Array | undefined;
    let error: string | undefined;
    let hasLocators = false;
    const subscribe = new NameList(bytes, 3, sets);
    const unsubscribe: string[] = [];
    const initialVersions = new Map<string, string>();
    while (fields.next()) {
      const { field } = fields;
      if (field === 3) subscribe.note(fields);
      else if (field === 1) node = fields.bytes();
      else if (field === 4) unsubscribe.push(fields.text());
      else if (field === 5) initialVersions.set(...pairOf(fields.bytes()));
      else if (field === 7) error = messageOf(fields.bytes());
      else if (field === 8) hasLocators = true;
      else texts[field] = fields.text();
    }
    return {
      typeUrl: texts[2] ?? "",
      nonce: texts[6] ?? "",
      ...(error !== undefined && { error }),
      hasLocators,
      subscribe: subscribe.intern(),
      unsubscribe,
      initialVersions,
      node: () => nodeOf(node),
    };
  });
}

/** The names of one request, mostly a stretch of its bytes; they are read when they are new. */
class NameList {
  readonly #bytes: Uint8Array;
  readonly #field: number;
  readonly #sets: NameSets;
  #start = 0;
  #end = 0;
  #isOneStretch = true;
  /** While there is no more than the list that came last. */
  #last: NameSet | undefined;

  constructor(bytes: Uint8Array, field: number, sets: NameSets) {
    this.#bytes = bytes;
    this.#field = field;
    this.#sets = sets;
  }

  /** One more stands where the walk is, which goes on behind those that are known together. */
  note(fields: FieldWalk): void {
    const { start } = fields;
    if (this.#end === 0) {
      this.#start = start;
      const last = this.#sets.lastAt(fields.whole, start);
      this.#last = last?.set;
      if (last !== undefined) fields.end = last.end;
    } else {
      this.#last = undefined;
      if (start !== this.#end) this.#isOneStretch = false;
    }
    this.#end = fields.end;
  }

  intern(): NameSet {
    if (this.#last !== undefined) return this.#last;
    if (this.#end === 0) return NO_NAMES;
    const stretch = this.#bytes.subarray(this.#start, this.#end);
    const decode = (): readonly string[] => this.#read(stretch);
    return this.#isOneStretch ? this.#sets.ofBytes(stretch, decode) : this.#sets.of(decode());
  }

  #read(bytes: Uint8Array): readonly string[] {
    const fields = new FieldWalk(bytes);
    const names: string[] = [];
    while (fields.next()) if (fields.field === this.#field) names.push(fields.text());
    return names;
  }
}

/** Goes from one field that has a length to the next; others are passed over. Throws on broken bytes. */
class FieldWalk {
  field = 0;
  /** Where its tag begins. */
  start = 0;
  /** Where it ends. */
  end = 0;
  /** Where what it holds begins. */
  #from = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** All that is walked over. */
  get whole(): Buffer {
    return this.#bytes;
  }

  /** False when there is none left. */
  next(): boolean {
    while (this.end < this.#bytes.length) {
      this.start = this.end;
      this.#from = this.end;
      const tag = this.#varint();
      this.field = tag >>> 3;
      if (this.field === 0) throw new Error("a field without a number");
      if ((tag & 7) === WireType.LengthDelimited) {
        const length = this.#varint();
        this.end = this.#from + length;
        if (this.end > this.#bytes.length) throw new Error("it ends within a field");
        return true;
      }
      const reader = new BinaryReader(this.#bytes.subarray(this.#from));
      reader.skip((tag & 7) as WireType, this.field);
      this.end = this.#from + reader.pos;
    }
    return false;
  }

  /** What the field holds, as it is. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(this.#from, this.end);
  }

  text(): string {
    return this.#bytes.toString("utf8", this.#from, this.end);
  }

  /** Up to 32 bits. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#from++];
      if (byte === undefined) throw new Error("it ends within a field");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error("a number that is too large");
  }
}

/** The message of a `google.rpc.Status`. */
function messageOf(bytes: Uint8Array): string {
  const fields = new FieldWalk(bytes);
  let message = "";
  while (fields.next()) {
    if (fields.field === 2) message = fields.text().slice(0, ERROR_LENGTH_MAX);
  }
  return message;
}

/** One entry of a map from text to text. */
function pairOf(bytes: Uint8Array): [string, string] {
  const fields = new FieldWalk(bytes);
  const pair: [string, string] = ["", ""];
  while (fields.next()) {
    if (fields.field === 1 || fields.field === 2) pair[fields.field - 1] = fields.text();
  }
  return pair;
}

function nodeOf(bytes: Uint8Array | undefined): Result<Node | undefined> {
  return guarded("Node", () => (bytes === undefined ? undefined : fromBinary(NodeSchema, bytes)));
}

function guarded<T>(type: string, read: () => T): Result<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, issues: [{ path: "", message: `not a ${type}: ${reason}` }] };
  }
}
