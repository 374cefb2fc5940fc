import type { MetadataValue } from "./match-request.ts";

/** An object that filters have left for others under a key. Text is as it goes over the wire. */
export interface FilterStateObject {
  /** Its text; `undefined` where it has none. */
  readonly text: string | undefined;
  /** What its protobuf message says, as JSON has it; `undefined` where it has none. */
  readonly typed: MetadataValue | undefined;
  /** What of it a hash policy hashes; absent where it cannot be hashed. */
  readonly hashed?: string;
  /** One of its fields; absent where it has none. */
  readonly field?: (name: string) => MetadataValue | undefined;
}
