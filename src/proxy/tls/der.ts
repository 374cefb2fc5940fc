/** Tags of ASN.1 that certificates use (X.690 8.1.2). */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  bmpString: 0x1e,
  universalString: 0x1c,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One value in DER form: where its content stands. */
export interface DerValue {
  readonly tag: number;
  readonly bytes: Buffer;
  /** With its tag and length. */
  readonly start: number;
  readonly from: number;
  readonly to: number;
}

/** Reads the value at `from`; throws when its length goes beyond `to`. */
export function readDer(bytes: Buffer, from: number, to: number): DerValue {
  if (from + 2 > to) throw new Error("DER value is cut off");
  const tag = bytes[from] ?? 0;
  let length = bytes[from + 1] ?? 0;
  let at = from + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4 || at + count > to) throw new Error("DER length is wrong");
    length = bytes.readUIntBE(at, count);
    at += count;
  }
  if (at + length > to) throw new Error("DER value is cut off");
  return { tag, bytes, start: from, from: at, to: at + length };
}

/** The values inside one that is built of others. */
export function children(value: DerValue): DerValue[] {
  const found: DerValue[] = [];
  for (let at = value.from; at < value.to; ) {
    const child = readDer(value.bytes, at, value.to);
    found.push(child);
    at = child.to;
  }
  return found;
}

/** The content's bytes; they share the certificate's memory. */
export function content({ bytes, from, to }: DerValue): Buffer {
  return bytes.subarray(from, to);
}

/** An object identifier in dotted form. */
export function readOid(value: DerValue): string {
  const parts: number[] = [];
  let part = 0;
  for (const byte of content(value)) {
    part = part * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (parts.length > 0) parts.push(part);
    else
      parts.push(
        Math.min(2, Math.floor(part / 40)),
        part - 40 * Math.min(2, Math.floor(part / 40)),
      );
    part = 0;
  }
  return parts.join(".");
}

/** Text of any of ASN.1's string types, as UTF-8 bytes, one character for each. */
export function readText(value: DerValue): string {
  const bytes = content(value);
  if (value.tag === TAG.bmpString) {
    const swapped = Buffer.from(bytes.subarray(0, bytes.length & ~1)).swap16();
    return Buffer.from(swapped.toString("utf16le")).toString("latin1");
  }
  return bytes.toString("latin1");
}
