import { describe, expect, test } from "vitest";
import { HEADER } from "../http/header-name.ts";
import { FIELD } from "./field-kind.ts";
import { HpackDecoder } from "./hpack-decoder.ts";
import { HpackEncoder } from "./hpack-encoder.ts";
import { decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.ts";

interface Field {
  readonly name: string;
  readonly value: string;
  readonly kind: number;
}

/** The fields of a block in hexadecimal; `undefined` where it is none. */
function decode(decoder: HpackDecoder, hex: string): readonly Field[] | undefined {
  const block = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const fields: Field[] = [];
  const sink = {
    onField(name: string, value: string, kind: number) {
      fields.push({ name, value, kind });
    },
  };
  return decoder.decode(block, 0, block.length, sink) ? fields : undefined;
}

const namesAndValues = (fields: readonly Field[] | undefined): readonly string[] | undefined =>
  fields?.map(({ name, value }) => `${name}: ${value}`);

/** A generator that gives the same numbers in each run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

describe("HpackDecoder", () => {
  test("reads the requests of RFC 7541 C.4, which fill its table", () => {
    const decoder = new HpackDecoder("request", 4096, "allow");
    const first = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
    expect(namesAndValues(decode(decoder, "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"))).toEqual(
      first,
    );
    expect(namesAndValues(decode(decoder, "8286 84be 5886 a8eb 1064 9cbf"))).toEqual([
      ...first,
      "cache-control: no-cache",
    ]);
    expect(
      namesAndValues(
        decode(decoder, "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"),
      ),
    ).toEqual([
      ":method: GET",
      ":scheme: https",
      ":path: /index.html",
      ":authority: www.example.com",
      "custom-key: custom-value",
    ]);
  });

  test("drops entries that do not fit, and knows them no more", () => {
    const decoder = new HpackDecoder("response", 100, "allow");
    // Two entries of 50 bytes fit, three do not.
    for (const mark of ["61", "62", "63"]) decode(decoder, `40 01 ${mark} 11 ${mark.repeat(17)}`);
    expect(namesAndValues(decode(decoder, "be bf"))).toEqual([
      `c: ${"c".repeat(17)}`,
      `b: ${"b".repeat(17)}`,
    ]);
    expect(decode(decoder, "c0")).toBeUndefined();
  });

  test.each([
    ["index 0", "80"],
    ["an index behind the table", "be"],
    ["an integer without an end", "ff ff ff ff ff ff ff"],
    ["an integer that is cut off", "ff"],
    ["a string that is cut off", "00 05 61"],
    ["a table size above the limit", "3f e2 1f"],
    ["a table size behind a field", "82 20"],
    ["Huffman's code with a whole end", "00 01 61 84 ff ff ff ff"],
    ["padding of eight bits", "00 01 61 82 1f ff"],
    ["padding of zeros", "00 01 61 81 18"],
  ])("refuses %s", (_, hex) => {
    expect(decode(new HpackDecoder("request", 4096, "allow"), hex)).toBeUndefined();
  });

  test.each([
    ["an upper case name", "X-A", "b", FIELD.malformed],
    ["a blank in a name", "x a", "b", FIELD.malformed],
    ["no name", "", "b", FIELD.malformed],
    ["a control character", "x-a", "\u0001", FIELD.malformed],
    ["a header of one hop", "connection", "close", FIELD.malformed],
    ["an unknown pseudo header", ":x", "b", FIELD.malformed],
    ["a pseudo header of responses", ":status", "200", FIELD.malformed],
    ["no path", ":path", "", FIELD.malformed],
    ["a length that is none", "content-length", "-1", FIELD.malformed],
    ["te", "te", "gzip", FIELD.malformed],
    ["te with trailers", "te", "trailers", FIELD.plain],
    ["a header for inside", "x-envoy-internal", "true", HEADER.internal],
  ])("knows what it means: %s", (_, name, value, kind) => {
    const decoder = new HpackDecoder("request", 4096, "allow");
    const text = (part: string): string =>
      Buffer.from([part.length, ...Buffer.from(part, "latin1")]).toString("hex");
    const block = `40 ${text(name)} ${text(value)}`;
    expect(decode(decoder, block)).toEqual([{ name, value, kind }]);
    // An entry of the table means the same again.
    expect(decode(decoder, "be")).toEqual([{ name, value, kind }]);
  });

  test("reads anything without an exception, or says that it is nothing", () => {
    const random = createRandom(7);
    let blocks = 0;
    for (let round = 0; round < 20_000; round++) {
      const decoder = new HpackDecoder("request", 256, "reject");
      const block = Buffer.from(Array.from({ length: random(40) }, () => random(256)));
      if (decode(decoder, block.toString("hex")) !== undefined) blocks++;
    }
    expect(blocks).toBeGreaterThan(100);
    expect(blocks).toBeLessThan(19_900);
  });
});

describe("HpackEncoder", () => {
  test("writes what a decoder reads, whatever the table's size does", () => {
    const random = createRandom(1);
    const encoder = new HpackEncoder(4096);
    const decoder = new HpackDecoder("request", 4096, "allow");
    const buffer = Buffer.alloc(65_536);
    const names = ["x-a", "cookie", ":path", "accept", "content-type", "authorization", "etag"];
    for (let round = 0; round < 3000; round++) {
      const sent: string[] = [];
      if (random(50) === 0) encoder.setTableSize(random(3) * 2000);
      encoder.begin(buffer, 3);
      for (let count = random(12); count > 0; count--) {
        const name = random(4) === 0 ? `x-${random(300)}` : (names[random(names.length)] ?? "");
        const letter = String.fromCharCode(33 + random(220));
        const value = random(2) === 0 ? `v${random(5)}` : letter.repeat(random(60));
        sent.push(`${name}: ${value}`);
        encoder.field(name, value);
      }
      const got = decode(decoder, buffer.subarray(3, encoder.at).toString("hex"));
      expect(namesAndValues(got)).toEqual(sent);
    }
  });

  test("puts a field into the table when it comes again, and a secret never", () => {
    const encoder = new HpackEncoder(4096);
    const buffer = Buffer.alloc(1024);
    const lengthOf = (name: string, value: string): number => {
      encoder.begin(buffer, 0);
      encoder.field(name, value);
      return encoder.at;
    };
    const lengths = [0, 1, 2].map(() => lengthOf("x-name", "some-value"));
    expect(lengths[2]).toBe(1);
    expect([0, 1, 2].map(() => lengthOf("authorization", "secret"))).toEqual([9, 9, 9]);
    // The first bits say that nobody on the way may keep it (RFC 7541 6.2.3).
    expect(buffer[0]).toBe(0x1f);
  });
});

test("every character comes back from Huffman's code", () => {
  const text = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join("");
  const coded = Buffer.alloc(2048);
  const end = encodeHuffman(text, coded, 0);
  expect(end).toBe(huffmanLength(text));
  const back = Buffer.alloc(4096);
  const length = decodeHuffman(coded, 0, end, back);
  expect(back.toString("latin1", 0, length)).toBe(text);
});
