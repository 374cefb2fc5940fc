/** What a ClientHello says that filter chains ask for. */
export interface ClientHello {
  /** Empty without one. */
  readonly serverName: Buffer;
  readonly protocols: readonly Buffer[];
  /** Numbers of two bytes each, as they came: what it can use. */
  readonly ciphers: Buffer;
  readonly groups: Buffer;
  readonly signatures: Buffer;
  readonly versions: Buffer;
}

/** The content type of handshake records, RFC 8446 5.1. */
const HANDSHAKE_RECORD = 22;
const RECORD_HEAD_BYTES = 5;
/** RFC 8446 5.1 allows a plain record so many bytes. */
const RECORD_BYTES_MAX = 16_384;
const CLIENT_HELLO = 1;
const MESSAGE_HEAD_BYTES = 4;
/** As BoringSSL, which Envoy's inspector asks: a longer one is no TLS to it. */
const MESSAGE_BYTES_MAX = 16_384;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const GROUPS = 10;
const SIGNATURES = 13;
const ALPN = 16;
const VERSIONS = 43;
const NO_BYTES = Buffer.alloc(0);

/**
 * Reads the ClientHello (RFC 8446 4.1.2) that a connection begins with: `"more"` when it has not
 * come whole, `"none"` when this is something else or broken.
 */
export function readClientHello(bytes: Buffer): ClientHello | "more" | "none" {
  const message = joinRecords(bytes);
  if (typeof message === "string") return message;
  try {
    return parseMessage(message);
  } catch (error) {
    // A length that points past the end.
    if (error instanceof RangeError) return "none";
    throw error;
  }
}

/** The handshake message without its head, which may be spread over several records. */
function joinRecords(bytes: Buffer): Buffer | "more" | "none" {
  const parts: Buffer[] = [];
  let length = 0;
  for (let at = 0; ; ) {
    if (bytes.length < at + RECORD_HEAD_BYTES) return "more";
    const size = bytes.readUInt16BE(at + 3);
    const isHandshake = bytes[at] === HANDSHAKE_RECORD && bytes[at + 1] === 3;
    if (!isHandshake || size === 0 || size > RECORD_BYTES_MAX) return "none";
    const from = at + RECORD_HEAD_BYTES;
    const part = bytes.subarray(from, from + size);
    parts.push(part);
    length += part.length;
    if (length >= MESSAGE_HEAD_BYTES) {
      const joined = parts.length === 1 ? part : Buffer.concat(parts);
      const wanted = joined.readUIntBE(1, 3);
      if (joined[0] !== CLIENT_HELLO || wanted > MESSAGE_BYTES_MAX) return "none";
      if (length >= MESSAGE_HEAD_BYTES + wanted) {
        return joined.subarray(MESSAGE_HEAD_BYTES, MESSAGE_HEAD_BYTES + wanted);
      }
    }
    if (part.length < size) return "more";
    at = from + size;
  }
}

/** Reads lengths and what they announce, one after the other. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  number(size: 1 | 2): number {
    const value = this.#bytes.readUIntBE(this.#at, size);
    this.#at += size;
    return value;
  }

  take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new RangeError("past the end");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** A vector whose length stands before it. */
  vector(sizeBytes: 1 | 2): Cursor {
    return new Cursor(this.take(this.number(sizeBytes)));
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at);
  }
}

function parseMessage(message: Buffer): ClientHello {
  const cursor = new Cursor(message);
  // Version and random.
  cursor.take(34);
  // Session, cipher suites, compression methods.
  cursor.vector(1);
  const ciphers = cursor.vector(2).rest();
  cursor.vector(1);
  let groups: Buffer = NO_BYTES;
  let signatures: Buffer = NO_BYTES;
  let versions: Buffer = NO_BYTES;
  let serverName: Buffer = NO_BYTES;
  const protocols: Buffer[] = [];
  // TLS 1.2 lets a client leave extensions out altogether.
  const extensions = cursor.isAtEnd ? new Cursor(NO_BYTES) : cursor.vector(2);
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const extension = extensions.vector(2);
    if (type === SERVER_NAME) serverName = readServerName(extension);
    else if (type === GROUPS) groups = extension.vector(2).rest();
    else if (type === SIGNATURES) signatures = extension.vector(2).rest();
    else if (type === VERSIONS) versions = extension.vector(1).rest();
    else if (type === ALPN) {
      const list = extension.vector(2);
      while (!list.isAtEnd) protocols.push(list.vector(1).rest());
    }
  }
  return { serverName, protocols, ciphers, groups, signatures, versions };
}

/** The one name of type host_name, RFC 6066 3. */
function readServerName(extension: Cursor): Buffer {
  const list = extension.vector(2);
  while (!list.isAtEnd) {
    const type = list.number(1);
    const name = list.vector(2).rest();
    if (type === HOST_NAME) return name;
  }
  return NO_BYTES;
}
