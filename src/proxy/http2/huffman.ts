/**
 * The symbols of each code length, in bits (RFC 7541, Appendix B). The code is canonical: of one
 * length the symbols have consecutive codes in their order, so the lengths say all of it.
 */
const SYMBOLS_BY_LENGTH: readonly (readonly [bits: number, symbols: string])[] = [
  [5, "48-50 97 99 101 105 111 115-116"],
  [6, "32 37 45-47 51-57 61 65 95 98 100 102-104 108-110 112 114 117"],
  [7, "58 66-87 89 106-107 113 118-122"],
  [8, "38 42 44 59 88 90"],
  [10, "33-34 40-41 63"],
  [11, "39 43 124"],
  [12, "35 62"],
  [13, "0 36 64 91 93 126"],
  [14, "94 125"],
  [15, "60 96 123"],
  [19, "92 195 208"],
  [20, "128 130-131 162 184 194 224 226"],
  [21, "153 161 167 172 176-177 179 209 216-217 227 229-230"],
  [
    22,
    "129 132-134 136 146 154 156 160 163-164 169-170 173 178 181 185-187 189-190 196 198 228 " +
      "232-233",
  ],
  [
    23,
    "1 135 137-141 143 147 149-152 155 157-158 165-166 168 174-175 180 182-183 188 191 197 231 239",
  ],
  [24, "9 142 144-145 148 159 171 206 215 225 236-237"],
  [25, "199 207 234-235"],
  [26, "192-193 200-202 205 210 213 218-219 238 240 242-243 255"],
  [27, "203-204 211-212 214 221-223 241 244-248 250-254"],
  [28, "2-8 11-12 14-21 23-31 127 220 249"],
  [30, "10 13 22 256"],
];

/** The end of a string, which may only stand in its padding, and never whole. */
const END = 256;

/** A node of the code's tree: where a 0 and a 1 lead, another node or a symbol. */
type Node = [number, number];
/** Symbols in nodes begin here. */
const SYMBOL_BASE = 1000;

const LENGTHS = new Uint8Array(257);
const CODES = new Uint32Array(257);
fillCodes();

/**
 * The decoder's steps: for each inner node of the code's tree and each four bits, the node after
 * them and the symbol that ended on the way (no code is shorter than five bits, so at most one).
 */
const STEPS = new Uint32Array(256 * 16);
/** Bits of a step: `node << 16 | flags << 8 | symbol`. */
const HAS_SYMBOL = 1 << 8;
const FAILS = 1 << 9;
/** Nodes where a string may end: less than eight bits, all ones, behind a symbol. */
const MAY_END = new Uint8Array(256);
fillSteps();

/** How many bytes the text, one byte for each character, takes in the code. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits += LENGTHS[text.charCodeAt(at) & 255] ?? 0;
  return (bits + 7) >> 3;
}

/** Writes the text in the code, padded with ones; gives where it ends. */
export function encodeHuffman(text: string, buffer: Uint8Array, start: number): number {
  let at = start;
  let held = 0;
  let heldBits = 0;
  for (let mark = 0; mark < text.length; mark++) {
    const code = text.charCodeAt(mark) & 255;
    let bits = LENGTHS[code] ?? 0;
    const value = CODES[code] ?? 0;
    // Less than eight bits are held: with 16 more they stay a small integer.
    while (bits > 16) {
      bits -= 8;
      held = (held << 8) | ((value >>> bits) & 255);
      buffer[at++] = (held >>> heldBits) & 255;
      held &= (1 << heldBits) - 1;
    }
    held = (held << bits) | (value & ((1 << bits) - 1));
    heldBits += bits;
    while (heldBits >= 8) {
      heldBits -= 8;
      buffer[at++] = (held >>> heldBits) & 255;
    }
    held &= (1 << heldBits) - 1;
  }
  if (heldBits > 0) {
    const left = 8 - heldBits;
    buffer[at++] = ((held << left) | ((1 << left) - 1)) & 255;
  }
  return at;
}

/**
 * Decodes `bytes[from, to)` into `into`, which must have room for 8/5 of it. Gives how many bytes
 * that were; -1 where it is no string of the code.
 */
export function decodeHuffman(
  bytes: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
): number {
  let end = 0;
  let node = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    const first = STEPS[(node << 4) | (byte >>> 4)] ?? FAILS;
    if ((first & HAS_SYMBOL) !== 0) into[end++] = first & 255;
    const second = STEPS[((first >>> 16) << 4) | (byte & 15)] ?? FAILS;
    if ((second & HAS_SYMBOL) !== 0) into[end++] = second & 255;
    if (((first | second) & FAILS) !== 0) return -1;
    node = second >>> 16;
  }
  return MAY_END[node] === 1 ? end : -1;
}

function fillCodes(): void {
  let code = 0;
  let before = 0;
  for (const [bits, symbols] of SYMBOLS_BY_LENGTH) {
    code <<= bits - before;
    before = bits;
    for (const range of symbols.split(" ")) {
      const [first = "", last = first] = range.split("-");
      for (let symbol = Number(first); symbol <= Number(last); symbol++) {
        LENGTHS[symbol] = bits;
        CODES[symbol] = code++;
      }
    }
  }
}

function fillSteps(): void {
  const nodes: Node[] = [[0, 0]];
  for (let symbol = 0; symbol <= END; symbol++) {
    let node = 0;
    const bits = LENGTHS[symbol] ?? 0;
    for (let bit = bits - 1; bit >= 0; bit--) {
      const side = ((CODES[symbol] ?? 0) >>> bit) & 1;
      const pair = nodes[node] as Node;
      if (bit === 0) pair[side] = SYMBOL_BASE + symbol;
      else {
        if (pair[side] === 0) pair[side] = nodes.push([0, 0]) - 1;
        node = pair[side] ?? 0;
      }
    }
  }
  for (let node = 0; node < nodes.length; node++) {
    for (let four = 0; four < 16; four++) STEPS[(node << 4) | four] = stepFrom(nodes, node, four);
  }
  let node = 0;
  for (let ones = 0; ones < 8; ones++) {
    MAY_END[node] = 1;
    node = nodes[node]?.[1] ?? 0;
  }
}

function stepFrom(nodes: readonly Node[], start: number, four: number): number {
  let node = start;
  let marks = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = nodes[node]?.[((four >>> bit) & 1) as 0 | 1] ?? 0;
    if (next < SYMBOL_BASE) {
      node = next;
      continue;
    }
    if (next === SYMBOL_BASE + END) return FAILS;
    marks = HAS_SYMBOL | (next - SYMBOL_BASE);
    node = 0;
  }
  return ((node << 16) | marks) >>> 0;
}
