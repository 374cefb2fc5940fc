/** Protobuf's wire format, read and written field by field: what a load client needs and no more. */

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** One field of a message. */
export interface WireField {
  readonly number: number;
  /** Where the field begins, its tag included, and where it ends. */
  readonly from: number;
  readonly end: number;
  /** Of a delimited field; empty for others. */
  readonly bytes: Buffer;
  /** Of a varint field; 0 for others. */
  readonly value: number;
}

const NO_BYTES = Buffer.alloc(0);

/** Calls back for each field of a message in turn; throws a `RangeError` when it is cut off. */
export function eachField(message: Buffer, take: (field: WireField) => void): void {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message.readUInt8(at);
      at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const from = at;
    const tag = varint();
    const number = Math.floor(tag / 8);
    let bytes: Buffer = NO_BYTES;
    let value = 0;
    switch (tag % 8) {
      case VARINT:
        value = varint();
        break;
      case FIXED64:
        at += 8;
        break;
      case FIXED32:
        at += 4;
        break;
      case DELIMITED: {
        const length = varint();
        bytes = message.subarray(at, at + length);
        if (bytes.length < length) throw new RangeError("a message is cut off");
        at += length;
        break;
      }
      default:
        throw new RangeError(`wire type ${tag % 8} is none that is read here`);
    }
    take({ number, from, end: at, bytes, value });
  }
}

/** The last delimited field of that number, as text; "" when there is none. */
export function textAt(message: Buffer, number: number): string {
  return lastAt(message, number)?.toString("utf8") ?? "";
}

/** What lies at a path of field numbers, the last of each counting. */
export function lastAt(message: Buffer, ...path: readonly number[]): Buffer | undefined {
  let found: Buffer | undefined = message;
  for (const number of path) {
    const inside: Buffer = found;
    found = undefined;
    eachField(inside, (field) => {
      if (field.number === number) found = field.bytes;
    });
    if (found === undefined) return undefined;
  }
  return found;
}

/** A delimited field as bytes. */
export function delimited(number: number, content: string | Uint8Array): Buffer {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const head = varintBytes(number * 8 + DELIMITED);
  return Buffer.concat([head, varintBytes(bytes.length), bytes]);
}

function varintBytes(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left > 0x7f) {
    bytes.push((left & 0x7f) | 0x80);
    left >>>= 7;
  }
  bytes.push(left);
  return Buffer.from(bytes);
}
