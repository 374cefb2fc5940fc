import type { Transform } from "node:stream";

/** How bodies are compressed, or decompressed, in one format. */
export interface CompressionLibrary {
  /** As `content-encoding` calls it. */
  readonly encoding: "gzip" | "br" | "zstd";
  /** As statistics call it. */
  readonly statName: "gzip" | "brotli" | "zstd";
  /** As the configuration calls it. */
  readonly name: string;
  /** For a body in pieces: each that is written comes out at once. */
  readonly create: () => Transform;
  /** For a small one at once; throws what is no such body. `undefined` where that takes too long. */
  readonly whole: ((bytes: Buffer) => Buffer) | undefined;
  /** Under what name a body is counted that is not what it says it is; "" where it is not. */
  readonly errorStat: string;
  /** So many times what comes in may come out; absent where that is no question. */
  readonly ratioMax?: number;
}

/** What one direction of a filter counts of bodies. */
export interface RecodeCounters {
  total_compressed_bytes: number;
  total_uncompressed_bytes: number;
}
