import { array, assert, integer, property, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";
import { framePrefix, MessageCounter } from "./grpc-frames.ts";
import { TextReader, TextWriter } from "./grpc-web-text.ts";

/** What a reader makes of a text that comes in pieces; `undefined` when it refuses one. */
function readAll(pieces: readonly string[]): Buffer | undefined {
  const reader = new TextReader();
  const read: Buffer[] = [];
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, "latin1");
    const part = reader.read(bytes, 0, bytes.length);
    if (part === undefined) return undefined;
    read.push(Buffer.from(part));
  }
  return reader.isBetweenGroups ? Buffer.concat(read) : undefined;
}

/** The text in pieces that end where `cuts` say, each as a share of 100. */
function cut(text: string, cuts: readonly number[]): readonly string[] {
  const ends = cuts.map((one) => Math.floor((text.length * one) / 100)).sort((a, b) => a - b);
  return [...ends, text.length].map((end, at) => text.slice(at === 0 ? 0 : ends[at - 1], end));
}

const CUTS = array(integer({ min: 0, max: 100 }), { maxLength: 6 });

describe("TextReader", () => {
  test("reads what was written, however it is cut and padded", () => {
    assert(
      property(array(uint8Array({ maxLength: 40 }), { maxLength: 5 }), CUTS, (parts, cuts) => {
        const text = parts.map((part) => Buffer.from(part).toString("base64")).join("");
        expect(readAll(cut(text, cuts))).toEqual(Buffer.concat(parts));
      }),
    );
  });

  test.each([
    ["a group that is not whole", "QUI"],
    ["a character of another alphabet", "QU-_"],
    ["a line end", "QUJD\r\nQUJD"],
    ["padding at the beginning", "=QUJ"],
    ["padding in the second place", "Q==="],
    ["a digit behind padding", "QU=J"],
    ["bits that no byte has", "QUL="],
    ["more of such bits", "QR=="],
    ["a byte beyond ASCII", "QUJ\u00e9"],
  ])("refuses %s", (_, text) => {
    expect(readAll([text])).toBeUndefined();
    expect(readAll(text.split(""))).toBeUndefined();
  });
});

describe("TextWriter", () => {
  test("writes each frame by itself, however the frames are cut", () => {
    assert(
      property(array(uint8Array({ maxLength: 40 }), { maxLength: 5 }), CUTS, (messages, cuts) => {
        const frames = messages.map((one) => Buffer.concat([framePrefix(0, one.length), one]));
        let text = "";
        const next = {
          onBodyBytes(buffer: Buffer, from: number, to: number) {
            text += buffer.toString("latin1", from, to);
          },
          onBodyEnd: () => undefined,
        };
        const writer = new TextWriter(next);
        const counter = new MessageCounter();
        for (const piece of cut(Buffer.concat(frames).toString("latin1"), cuts)) {
          const bytes = Buffer.from(piece, "latin1");
          writer.write(bytes, 0, bytes.length);
          counter.add(bytes, 0, bytes.length);
        }
        expect(text).toBe(frames.map((frame) => frame.toString("base64")).join(""));
        expect(counter.count).toBe(messages.length);
      }),
    );
  });
});
