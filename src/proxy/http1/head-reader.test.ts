import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HeadReader } from "./head-reader.ts";

const MAX = 61_440;

/** The heads found in `text` when it comes in pieces; "error:STATUS" ends the list. */
function findHeads(text: string, cuts: readonly number[]): string[] {
  const reader = new HeadReader("request");
  const bytes = Buffer.from(text, "latin1");
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  edges.sort((left, right) => left - right);
  const heads: string[] = [];
  for (let piece = 0; piece + 1 < edges.length; piece++) {
    const to = edges[piece + 1] ?? 0;
    for (let at = edges[piece] ?? 0; at < to; ) {
      const found = reader.read(bytes, at, to, MAX);
      if (found === "error") return [...heads, `error:${reader.error.status}`];
      if (found === "more") break;
      heads.push(reader.text);
      at = reader.next;
    }
  }
  return heads;
}

describe("HeadReader", () => {
  const first = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
  const second = `GET /2 HTTP/1.1\r\nHost: b\r\nX: ${"y".repeat(6000)}\r\n\r\n`;

  test("`read()` finds the same heads in any pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { maxLength: 30 }), (cuts) => {
        expect(findHeads(first + second + first, cuts)).toEqual([first, second, first]);
      }),
    );
  });

  test("`read()` finds a head that comes byte by byte", () => {
    const each = Array.from({ length: first.length }, (_, at) => at);
    expect(findHeads(first, each)).toEqual([first]);
  });

  test("`read()` passes over empty lines before a head", () => {
    expect(findHeads(`\r\n\r\n${first}`, [])).toEqual([first]);
  });

  test("`read()` does not wait for a peer that ends lines with LF alone", () => {
    expect(findHeads("GET / HTTP/1.1\nHost: a\n\n", [])).toEqual(["error:400"]);
    expect(findHeads("GET / HTTP/1.1\r\nHost: a\n\n", [18])).toEqual(["error:400"]);
  });

  test("`read()` refuses a head that is too long, complete or not", () => {
    const long = "x".repeat(MAX);
    expect(findHeads(`GET /${long}`, [])).toEqual(["error:431"]);
    expect(findHeads(`GET /${long} HTTP/1.1\r\n\r\n`, [50_000])).toEqual(["error:431"]);
  });
});
