import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { itemBody, itemCount, itemText, type SplitMessage, splitMessage } from "./split-message.ts";

const ITEMS = 2;

/** A field: of the items, or another one. */
type Field = readonly [isItem: boolean, body: readonly number[]];

function encode(fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [isItem, body] of fields) {
    writer.tag(isItem ? ITEMS : 3, WireType.LengthDelimited).bytes(Uint8Array.from(body));
  }
  return writer.finish();
}

function items(split: SplitMessage): readonly (readonly number[])[] {
  return Array.from({ length: itemCount(split) }, (_, at) => [...itemBody(split, at)]);
}

// Bodies of bytes that are tags and lengths too, so that much looks alike that is not.
const body = fc.array(fc.constantFrom(0, 1, 2, 0x12, 0x1a), { maxLength: 4 });
const fields = fc.array(fc.tuple(fc.boolean(), body), { maxLength: 10 });

describe("splitMessage()", () => {
  test("finds the same with a message to compare with as without", () => {
    fc.assert(
      fc.property(fc.array(fields, { minLength: 1, maxLength: 5 }), (messages) => {
        let previous: SplitMessage | undefined;
        for (const message of messages) {
          const split = splitMessage(encode(message), ITEMS, previous);
          const expected = message.filter(([isItem]) => isItem).map(([, bytes]) => bytes);
          expect(items(split)).toEqual(expected);
          expect(split.rest).toEqual(Buffer.from(encode(message.filter(([isItem]) => !isItem))));
          const texts = (one: SplitMessage | undefined): readonly string[] =>
            one === undefined ? [] : items(one).map((_, at) => itemText(one, at));
          const [now, before] = [texts(split), texts(previous)];
          const { sameFirst, sameLast } = split;
          expect(now.slice(0, sameFirst)).toEqual(before.slice(0, sameFirst));
          expect(now.slice(now.length - sameLast)).toEqual(before.slice(before.length - sameLast));
          expect(sameFirst + sameLast).toBeLessThanOrEqual(Math.min(now.length, before.length));
          previous = split;
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("reads one change of many only where it is", () => {
    const all = Array.from({ length: 100 }, (_, at): Field => [true, [at, at]]);
    const before = splitMessage(encode([[false, [1]], ...all]), ITEMS);
    const after = encode([[false, [1]], ...all.with(70, [true, [1, 2, 3]])]);
    expect(splitMessage(after, ITEMS, before)).toMatchObject({ sameFirst: 70, sameLast: 29 });
    const moved = encode([[false, [1, 2]], ...all]);
    expect(splitMessage(moved, ITEMS, before)).toMatchObject({ sameFirst: 100, sameLast: 0 });
  });
});
