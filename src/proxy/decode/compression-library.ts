import type { Transform } from "node:stream";
import zlib, { type BrotliOptions, type ZlibOptions } from "node:zlib";
import type { TypedExtensionConfig } from "../../api/gen/envoy/config/core/v3/extension_pb.js";
import {
  BrotliSchema as BrotliOutSchema,
  Brotli_EncoderMode as EncoderMode,
} from "../../api/gen/envoy/extensions/compression/brotli/compressor/v3/brotli_pb.js";
import { BrotliSchema as BrotliInSchema } from "../../api/gen/envoy/extensions/compression/brotli/decompressor/v3/brotli_pb.js";
import {
  GzipSchema as GzipOutSchema,
  Gzip_CompressionStrategy as Strategy,
} from "../../api/gen/envoy/extensions/compression/gzip/compressor/v3/gzip_pb.js";
import { GzipSchema as GzipInSchema } from "../../api/gen/envoy/extensions/compression/gzip/decompressor/v3/gzip_pb.js";
import { ZstdSchema as ZstdOutSchema } from "../../api/gen/envoy/extensions/compression/zstd/compressor/v3/zstd_pb.js";
import { ZstdSchema as ZstdInSchema } from "../../api/gen/envoy/extensions/compression/zstd/decompressor/v3/zstd_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { CompressionLibrary } from "../http-filter/compression-library.ts";
import { decodeExtension, type Extension, extension } from "./extension.ts";

const C = zlib.constants;

/** Envoy's defaults. */
const CHUNK_BYTES = 4096;
const MEMORY_LEVEL = 5;
const WINDOW_BITS = 12;
/** Decompressors take every window. */
const WINDOW_BITS_MAX = 15;
const BROTLI_QUALITY = 3;
const BROTLI_WINDOW_BITS = 18;
const BROTLI_BLOCK_BITS = 24;
const INFLATE_RATIO_MAX = 100;
/** From here on a small body takes brotli longer than others should wait. */
const BROTLI_SLOW = 6;

type Library = Omit<CompressionLibrary, "name">;

/** The same word for a level as zlib's number. */
const STRATEGIES: Readonly<Record<Strategy, number>> = {
  [Strategy.DEFAULT_STRATEGY]: C.Z_DEFAULT_STRATEGY,
  [Strategy.FILTERED]: C.Z_FILTERED,
  [Strategy.HUFFMAN_ONLY]: C.Z_HUFFMAN_ONLY,
  [Strategy.RLE]: C.Z_RLE,
  [Strategy.FIXED]: C.Z_FIXED,
};

const ENCODER_MODES: Readonly<Record<EncoderMode, number>> = {
  [EncoderMode.DEFAULT]: C.BROTLI_DEFAULT_MODE,
  [EncoderMode.GENERIC]: C.BROTLI_MODE_GENERIC,
  [EncoderMode.TEXT]: C.BROTLI_MODE_TEXT,
  [EncoderMode.FONT]: C.BROTLI_MODE_FONT,
};

const GZIP_OUT = extension(GzipOutSchema, (message, path, issues): Library => {
  const fields = [
    "memory_level",
    "compression_level",
    "compression_strategy",
    "window_bits",
    "chunk_size",
  ];
  issues.push(...refuseFields(GzipOutSchema, message, fields, path));
  const options: ZlibOptions = {
    memLevel: message.memoryLevel ?? MEMORY_LEVEL,
    level: message.compressionLevel === 0 ? C.Z_DEFAULT_COMPRESSION : message.compressionLevel,
    strategy: STRATEGIES[message.compressionStrategy],
    windowBits: message.windowBits ?? WINDOW_BITS,
    chunkSize: message.chunkSize ?? CHUNK_BYTES,
  };
  return {
    encoding: "gzip",
    statName: "gzip",
    errorStat: "",
    create: () => zlib.createGzip({ ...options, flush: C.Z_SYNC_FLUSH }),
    whole: (bytes) => zlib.gzipSync(bytes, options),
  };
});

const BROTLI_OUT = extension(BrotliOutSchema, (message, path, issues): Library => {
  const fields = [
    "quality",
    "encoder_mode",
    "window_bits",
    "input_block_bits",
    "chunk_size",
    "disable_literal_context_modeling",
  ];
  issues.push(...refuseFields(BrotliOutSchema, message, fields, path));
  const quality = message.quality ?? BROTLI_QUALITY;
  const options: BrotliOptions = {
    chunkSize: message.chunkSize ?? CHUNK_BYTES,
    params: {
      [C.BROTLI_PARAM_QUALITY]: quality,
      [C.BROTLI_PARAM_MODE]: ENCODER_MODES[message.encoderMode],
      [C.BROTLI_PARAM_LGWIN]: message.windowBits ?? BROTLI_WINDOW_BITS,
      [C.BROTLI_PARAM_LGBLOCK]: message.inputBlockBits ?? BROTLI_BLOCK_BITS,
      [C.BROTLI_PARAM_DISABLE_LITERAL_CONTEXT_MODELING]: message.disableLiteralContextModeling,
    },
  };
  return {
    encoding: "br",
    statName: "brotli",
    errorStat: "",
    create: () => zlib.createBrotliCompress({ ...options, flush: C.BROTLI_OPERATION_FLUSH }),
    whole: quality < BROTLI_SLOW ? (bytes) => zlib.brotliCompressSync(bytes, options) : undefined,
  };
});

const GZIP_IN = extension(GzipInSchema, (message, path, issues): Library => {
  const fields = ["window_bits", "chunk_size", "max_inflate_ratio"];
  issues.push(...refuseFields(GzipInSchema, message, fields, path));
  const ratioMax = message.maxInflateRatio ?? INFLATE_RATIO_MAX;
  const options: ZlibOptions = {
    windowBits: message.windowBits ?? WINDOW_BITS_MAX,
    chunkSize: message.chunkSize ?? CHUNK_BYTES,
  };
  return {
    encoding: "gzip",
    statName: "gzip",
    errorStat: "zlib_data_error",
    create: () => zlib.createGunzip({ ...options, flush: C.Z_SYNC_FLUSH }),
    whole: (bytes) =>
      zlib.gunzipSync(bytes, { ...options, maxOutputLength: bytes.length * ratioMax }),
    ratioMax,
  };
});

const BROTLI_IN = extension(BrotliInSchema, (message, path, issues): Library => {
  const fields = ["disable_ring_buffer_reallocation", "chunk_size"];
  issues.push(...refuseFields(BrotliInSchema, message, fields, path));
  const options: BrotliOptions = {
    chunkSize: message.chunkSize ?? CHUNK_BYTES,
    params: {
      [C.BROTLI_DECODER_PARAM_DISABLE_RING_BUFFER_REALLOCATION]:
        message.disableRingBufferReallocation,
    },
  };
  return {
    encoding: "br",
    statName: "brotli",
    errorStat: "brotli_error",
    create: () => zlib.createBrotliDecompress(options),
    whole: (bytes) =>
      zlib.brotliDecompressSync(bytes, {
        ...options,
        maxOutputLength: bytes.length * INFLATE_RATIO_MAX,
      }),
    ratioMax: INFLATE_RATIO_MAX,
  };
});

/** Node has zstd from 22.15 on; its types here do not say so. */
interface ZstdFunctions {
  readonly createZstdCompress?: (options: object) => Transform;
  readonly createZstdDecompress?: (options: object) => Transform;
  readonly constants: Readonly<Record<string, number>>;
}

const ZSTD: ZstdFunctions = zlib as unknown as ZstdFunctions;
const NO_ZSTD = "zstd needs a Node.js that has it, 22.15 or newer";

/** Envoy's own default. */
const ZSTD_LEVEL = 3;

function zstdConstant(name: string): number {
  return ZSTD.constants[name] ?? 0;
}

const ZSTD_OUT = extension(ZstdOutSchema, (message, path, issues): Library | undefined => {
  const fields = ["compression_level", "enable_checksum", "strategy", "chunk_size"];
  issues.push(...refuseFields(ZstdOutSchema, message, fields, path));
  const create = ZSTD.createZstdCompress;
  if (create === undefined) {
    issues.push({ path, message: NO_ZSTD });
    return undefined;
  }
  const params = {
    [zstdConstant("ZSTD_c_compressionLevel")]: message.compressionLevel ?? ZSTD_LEVEL,
    [zstdConstant("ZSTD_c_checksumFlag")]: message.enableChecksum ? 1 : 0,
    ...(message.strategy !== 0 && { [zstdConstant("ZSTD_c_strategy")]: message.strategy }),
  };
  const chunkSize = message.chunkSize ?? CHUNK_BYTES;
  return {
    encoding: "zstd",
    statName: "zstd",
    errorStat: "",
    create: () => create({ params, chunkSize, flush: zstdConstant("ZSTD_e_flush") }),
    whole: undefined,
  };
});

const ZSTD_IN = extension(ZstdInSchema, (message, path, issues): Library | undefined => {
  issues.push(...refuseFields(ZstdInSchema, message, ["chunk_size"], path));
  const create = ZSTD.createZstdDecompress;
  if (create === undefined) {
    issues.push({ path, message: NO_ZSTD });
    return undefined;
  }
  const chunkSize = message.chunkSize ?? CHUNK_BYTES;
  return {
    encoding: "zstd",
    statName: "zstd",
    errorStat: "zstd_generic_error",
    create: () => create({ chunkSize }),
    whole: undefined,
    ratioMax: INFLATE_RATIO_MAX,
  };
});

const COMPRESSORS: readonly Extension<Library>[] = [GZIP_OUT, BROTLI_OUT, ZSTD_OUT];
const DECOMPRESSORS: readonly Extension<Library>[] = [GZIP_IN, BROTLI_IN, ZSTD_IN];

/** Decodes what bodies are compressed, or decompressed, by; `undefined` after an issue. */
export function decodeLibrary(
  kind: "compressor" | "decompressor",
  message: TypedExtensionConfig | undefined,
  path: string,
  issues: Issue[],
): CompressionLibrary | undefined {
  const at = joinPath(path, `${kind}_library`);
  if (message === undefined) {
    issues.push({ path: at, message: "is missing" });
    return undefined;
  }
  const { name, typedConfig: any } = message;
  const libraries = kind === "compressor" ? COMPRESSORS : DECOMPRESSORS;
  const library = decodeExtension(libraries, { name, any, path: at }, issues);
  return library && { ...library, name };
}
