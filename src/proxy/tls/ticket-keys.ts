import { createHash } from "node:crypto";
import type { SecureContext } from "node:tls";

/** What Node's context takes besides its options (`crypto_context.cc`). */
interface NativeContext {
  onticketkeycallback?: (
    name: Buffer,
    iv: Buffer,
    isEncryption: boolean,
  ) => readonly [result: number, hmac?: Buffer, aes?: Buffer, name?: Buffer, iv?: Buffer];
  enableTicketKeyCallback?: () => void;
}

interface TicketKey {
  readonly name: Buffer;
  readonly hmac: Buffer;
  readonly aes: Buffer;
}

/** Keys of session tickets: the first encrypts, all decrypt. */
export class TicketKeys {
  readonly #keys: readonly TicketKey[];

  /** Each key has 80 bytes: a name of 16, and two of 32 that are cut down to what Node takes. */
  constructor(keys: readonly Buffer[]) {
    this.#keys = keys.map((key) => ({
      name: key.subarray(0, 16),
      hmac: shorten(key.subarray(16, 48)),
      aes: shorten(key.subarray(48, 80)),
    }));
  }

  /** The first key in the form of Node's `ticketKeys`. */
  get forContext(): Buffer {
    const [first] = this.#keys;
    if (first === undefined) throw new Error("no ticket key");
    return Buffer.concat([first.name, first.hmac, first.aes]);
  }

  /** Lets a context decrypt tickets of the further keys too, and renew them. */
  install(context: SecureContext): void {
    const native = context.context as NativeContext;
    const [first, ...older] = this.#keys;
    if (first === undefined || older.length === 0) return;
    if (native.enableTicketKeyCallback === undefined) return;
    native.onticketkeycallback = (name, iv, isEncryption) => {
      if (isEncryption) return [1, first.hmac, first.aes, first.name, iv];
      const key = this.#keys.find((candidate) => candidate.name.equals(name));
      // 2: taken, and a new ticket is due.
      return key === undefined ? [0] : [key === first ? 1 : 2, key.hmac, key.aes];
    };
    native.enableTicketKeyCallback();
  }
}

function shorten(key: Buffer): Buffer {
  return createHash("sha256").update(key).digest().subarray(0, 16);
}
