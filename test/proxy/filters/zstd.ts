import * as zlib from "node:zlib";

/** Node has zstd from 22.15 on; its types here do not say so. */
interface Zstd {
  readonly zstdCompressSync?: (bytes: string | Buffer) => Buffer;
  readonly zstdDecompressSync?: (bytes: Buffer) => Buffer;
}

/** zstd of the Node that runs the tests; `undefined` where it has none. */
export const { zstdCompressSync, zstdDecompressSync }: Zstd = zlib as Zstd;
