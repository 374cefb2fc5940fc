/**
 * Requests of both variants, read from bytes by hand: a request names every cluster of a mesh again
 * and again, so that list stays bytes until it is known to be a new one.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type Node, NodeSchema } from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { Result } from "../base/issue.ts";
import type { NameSet, NameSets } from "./name-sets.ts";

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
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** By name, what the client still has from an earlier stream. */
  readonly initialVersions: Map<string, string>;
}

/** Reads a `DiscoveryRequest`. */
export function decodeSotwRequest(bytes: Uint8Array, sets: NameSets): Result<SotwRequest> {
  return guarded("DiscoveryRequest", () => {
    const texts: Record<number, string> = {};
    let node: Uint8Array | undefined;
    let error: string | undefined;
    let hasLocators = false;
    const names = new NameList(bytes);
    forEachField(bytes, (field, value, start, end) => {
      if (field === 2) node = value;
      else if (field === 3) names.note(value, start, end);
      else if (field === 6) error = messageOf(value);
      else if (field === 7) hasLocators = true;
      else texts[field] = textOf(value);
    });
    return {
      versionInfo: texts[1] ?? "",
      typeUrl: texts[4] ?? "",
      nonce: texts[5] ?? "",
      ...(error !== undefined && { error }),
      hasLocators,
      names: names.intern(sets),
      node: () => nodeOf(node),
    };
  });
}

/** Reads a `DeltaDiscoveryRequest`. */
export function decodeDeltaRequest(bytes: Uint8Array): Result<DeltaRequest> {
  return guarded("DeltaDiscoveryRequest", () => {
    const texts: Record<number, string> = {};
    let node: Uint8Array | undefined;
    let error: string | undefined;
    let hasLocators = false;
    const subscribe: string[] = [];
    const unsubscribe: string[] = [];
    const initialVersions = new Map<string, string>();
    forEachField(bytes, (field, value) => {
      if (field === 1) node = value;
      else if (field === 3) subscribe.push(textOf(value));
      else if (field === 4) unsubscribe.push(textOf(value));
      else if (field === 5) initialVersions.set(...pairOf(value));
      else if (field === 7) error = messageOf(value);
      else if (field === 8) hasLocators = true;
      else texts[field] = textOf(value);
    });
    return {
      typeUrl: texts[2] ?? "",
      nonce: texts[6] ?? "",
      ...(error !== undefined && { error }),
      hasLocators,
      subscribe,
      unsubscribe,
      initialVersions,
      node: () => nodeOf(node),
    };
  });
}

/** The names of one request: a stretch of its bytes, or single ones where something stands between. */
class NameList {
  readonly #bytes: Uint8Array;
  readonly #values: Uint8Array[] = [];
  #start = 0;
  #end = 0;
  #isOneStretch = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  note(value: Uint8Array, start: number, end: number): void {
    if (this.#values.length === 0) this.#start = start;
    else if (start !== this.#end) this.#isOneStretch = false;
    this.#end = end;
    this.#values.push(value);
  }

  intern(sets: NameSets): NameSet {
    const decode = (): readonly string[] => this.#values.map(textOf);
    if (!this.#isOneStretch) return sets.of(decode());
    return sets.ofBytes(this.#bytes.subarray(this.#start, this.#end), decode);
  }
}

/** Calls back for every field that has a length; others are passed over. Throws on broken bytes. */
function forEachField(
  bytes: Uint8Array,
  onField: (field: number, value: Uint8Array, start: number, end: number) => void,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [field, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited) onField(field, reader.bytes(), start, reader.pos);
    else reader.skip(wireType, field);
  }
}

/** The message of a `google.rpc.Status`. */
function messageOf(bytes: Uint8Array): string {
  let message = "";
  forEachField(bytes, (field, value) => {
    if (field === 2) message = textOf(value).slice(0, ERROR_LENGTH_MAX);
  });
  return message;
}

/** One entry of a map from text to text. */
function pairOf(bytes: Uint8Array): [string, string] {
  const pair: [string, string] = ["", ""];
  forEachField(bytes, (field, value) => {
    if (field === 1 || field === 2) pair[field - 1] = textOf(value);
  });
  return pair;
}

function nodeOf(bytes: Uint8Array | undefined): Result<Node | undefined> {
  return guarded("Node", () => (bytes === undefined ? undefined : fromBinary(NodeSchema, bytes)));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function guarded<T>(type: string, read: () => T): Result<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, issues: [{ path: "", message: `not a ${type}: ${reason}` }] };
  }
}
