/**
 * The bytes `buffer[from, to)` as text, one character for each. `toString("latin1")` does the same
 * but first looks the encoding up, for every message.
 */
export function latin1(buffer: Buffer, from: number, to: number): string {
  return (buffer as LatinBuffer).latin1Slice(from, to);
}

/** Writes the text, one byte for each character, into the buffer from `at`, which has room for it. */
export function writeLatin1(buffer: Buffer, text: string, at: number): void {
  (buffer as LatinBuffer).latin1Write(text, at, text.length);
}

/** Node has had them since 0.11 (`node_buffer.cc`); its types leave them out. */
interface LatinBuffer extends Buffer {
  latin1Slice(from: number, to: number): string;
  latin1Write(text: string, at: number, length: number): number;
}
