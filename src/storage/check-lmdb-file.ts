import { closeSync, openSync, readSync, statSync } from "node:fs";

/** `MDB_page_header`, then `MDB_meta`, as lmdb-js lays them out on 64-bit machines. */
const META_BYTES = 160;
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const ROOTS_AT = [88, 136] as const;
const TXN_AT = 152;
const MAGIC = 0xbeef_c0de;
const PAGE_SIZES = [256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];
/** The root of an empty tree. */
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

interface Meta {
  readonly pageSize: number;
  readonly roots: readonly bigint[];
  readonly txn: bigint;
}

/**
 * Why a data file of LMDB is not one that can be opened; `undefined` when nothing speaks against it,
 * or there is none yet. LMDB maps the file and believes what it says, so that one which was cut off
 * would end this process without a word.
 */
export function whyDamaged(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined || (found.isFile() && found.size === 0)) return undefined;
  if (!found.isFile()) return "it is no file";
  const fd = openSync(file, "r");
  try {
    const first = readMeta(fd, 0);
    const pageSize = first?.pageSize ?? PAGE_SIZES.find((size) => readMeta(fd, size) !== undefined);
    const second = pageSize === undefined ? undefined : readMeta(fd, pageSize);
    const metas = [first, second].filter((meta) => meta !== undefined);
    const newest = metas.toSorted((left, right) => (left.txn < right.txn ? 1 : -1))[0];
    if (newest === undefined) return "it is no database";
    const pages = BigInt(Math.floor(found.size / newest.pageSize));
    const isWhole = newest.roots.every((root) => root === NO_PAGE || root < pages);
    return isWhole && pages >= 2n ? undefined : "its end is missing";
  } finally {
    closeSync(fd);
  }
}

function readMeta(fd: number, at: number): Meta | undefined {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(fd, bytes, 0, META_BYTES, at) < META_BYTES) return undefined;
  const pageSize = bytes.readUInt32LE(PAGE_SIZE_AT);
  if (bytes.readUInt32LE(MAGIC_AT) !== MAGIC || !PAGE_SIZES.includes(pageSize)) return undefined;
  const roots = ROOTS_AT.map((rootAt) => bytes.readBigUInt64LE(rootAt));
  return { pageSize, roots, txn: bytes.readBigUInt64LE(TXN_AT) };
}
