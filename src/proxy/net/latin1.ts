/**
 * The bytes `buffer[from, to)` as text, one character for each. `toString("latin1")` does the same
 * but first looks the encoding up, for every message.
 */
export function latin1(buffer: Buffer, from: number, to: number): string {
  return (buffer as LatinBuffer).latin1Slice(from, to);
}

/** Node has had it since 0.11 (`node_buffer.cc`); its types leave it out. */
interface LatinBuffer extends Buffer {
  latin1Slice(from: number, to: number): string;
}
