/** Protobuf's wire format, read and written field by field: what a load client needs and no more. */

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/**
 * Goes through the fields of a message, or of a part of a buffer that is one, without making
 * anything for them.
 */
export class FieldReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  /** Of the field that was read last, as all that follow. */
  number = 0;
  /** Where its tag begins. */
  from = 0;
  /** Where what it holds begins and ends, when it is delimited; both are its end for others. */
  contentFrom = 0;
  contentEnd = 0;
  /** Of a varint; 0 for others. */
  value = 0;

  constructor(bytes: Buffer, from = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
  }

  /** Reads the next field; false when there is none. Throws a `RangeError` when it is cut off. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.from = this.#at;
    const tag = this.#varint();
    this.number = tag >>> 3;
    this.value = 0;
    let length = 0;
    switch (tag & 7) {
      case VARINT:
        this.value = this.#varint();
        break;
      case FIXED64:
        this.#at += 8;
        break;
      case FIXED32:
        this.#at += 4;
        break;
      case DELIMITED:
        length = this.#varint();
        break;
      default:
        throw new RangeError(`wire type ${tag & 7} is none that is read here`);
    }
    this.contentFrom = this.#at;
    this.#at += length;
    this.contentEnd = this.#at;
    if (this.#at > this.#end) throw new RangeError("a message is cut off");
    return true;
  }

  /** What the field holds, as text. */
  text(): string {
    return this.#bytes.toString("utf8", this.contentFrom, this.contentEnd);
  }

  /** The message in the field. */
  inside(): FieldReader {
    return new FieldReader(this.#bytes, this.contentFrom, this.contentEnd);
  }

  /** Reads on to the first field of that number; false when there is none. */
  find(number: number): boolean {
    while (this.next()) if (this.number === number) return true;
    return false;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new RangeError("a message is cut off");
      this.#at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }
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
