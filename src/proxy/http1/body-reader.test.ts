import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HeaderList } from "../http/header-list.ts";
import { BodyReader, FRAMING } from "./body-reader.ts";

/** Feeds `text` in pieces and says what came out: the body, and where it ended. */
function readAll(framing: number, length: number, text: string, cuts: readonly number[] = []) {
  const reader = new BodyReader(1000);
  reader.start(framing, length);
  const bytes = Buffer.from(text, "latin1");
  let body = "";
  let ends = 0;
  const sink = {
    onBodyBytes: (buffer: Buffer, from: number, to: number) => {
      body += buffer.toString("latin1", from, to);
    },
    onBodyEnd: () => {
      ends++;
    },
  };
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  edges.sort((left, right) => left - right);
  for (let at = 0; at + 1 < edges.length; at++) {
    const to = edges[at + 1] ?? 0;
    const next = reader.read(bytes, edges[at] ?? 0, to, sink);
    if (next === -1) return { body, ends, rest: "refused" };
    if (reader.isDone) return { body, ends, rest: text.substring(next) };
  }
  return { body, ends, rest: "more" };
}

describe("BodyReader", () => {
  test("`read()` ends a body of known length where the next message begins", () => {
    expect(readAll(FRAMING.length, 5, "helloGET /")).toEqual({
      body: "hello",
      ends: 1,
      rest: "GET /",
    });
  });

  test("`read()` takes chunks, drops extensions and trailers", () => {
    const text = '5;a=b;c="d"\r\nhello\r\nA \r\n, dear all\r\n0\r\nX-T: 1\r\nY:\r\n\r\nnext';
    expect(readAll(FRAMING.chunked, 0, text)).toEqual({
      body: "hello, dear all",
      ends: 1,
      rest: "next",
    });
  });

  const lines = "X-T: 1\r\ny:\r\nx-t:  2 \r\n";

  test.each([0, 1, 7, 20])("`read()` collects trailers where they are wanted, cut at %i", (cut) => {
    const reader = new BodyReader(1000, { headerCountMax: 3, underscores: "allow" });
    const bytes = Buffer.from(`1\r\na\r\n0\r\n${lines}\r\n`, "latin1");
    let found: string | undefined;
    const sink = {
      onBodyBytes: () => undefined,
      onBodyEnd: (trailers?: HeaderList) => {
        found = trailers?.encode();
      },
    };
    reader.start(FRAMING.chunked, 0);
    reader.read(bytes, 0, cut, sink);
    reader.read(bytes, cut, bytes.length, sink);
    expect(found).toBe("x-t: 1\r\ny: \r\nx-t: 2\r\n");
    // The next message has none.
    reader.start(FRAMING.chunked, 0);
    reader.read(Buffer.from("0\r\n\r\n"), 0, 5, sink);
    expect(found).toBeUndefined();
  });

  test.each([
    ["too many", `${lines}z: 1\r\n`, "http1.too_many_headers"],
    ["too large", `X-T: ${"a".repeat(1000)}\r\n`, "http1.headers_too_large"],
    ["a bare CR", "X-T: a\rb\r\n", "http1.codec_error"],
    ["a control character", "X-T: a\0b\r\n", "http1.invalid_characters"],
  ])("`error` says what is wrong with trailers: %s", (_, trailers, detail) => {
    const reader = new BodyReader(1000, { headerCountMax: 3, underscores: "allow" });
    reader.start(FRAMING.chunked, 0);
    const bytes = Buffer.from(`0\r\n${trailers}\r\n`, "latin1");
    const sink = { onBodyBytes: () => undefined, onBodyEnd: () => undefined };
    expect(reader.read(bytes, 0, bytes.length, sink)).toBe(-1);
    expect(reader.error.detail).toBe(detail);
  });

  test("`read()` goes on until the connection ends where nothing else says so", () => {
    expect(readAll(FRAMING.untilClose, 0, "abc")).toEqual({ body: "abc", ends: 0, rest: "more" });
  });

  const refused = [
    ["no digit", "Z\r\n"],
    ["no size", "\r\n"],
    ["a sign", "-1\r\n"],
    ["0x", "0x5\r\nhello\r\n"],
    ["a bare LF after the size", "5\nhello\r\n"],
    ["a bare LF after the chunk", "5\r\nhello\n0\r\n"],
    ["a chunk that is longer than it says", "5\r\nhelloX\r\n"],
    ["a size past all bounds", "FFFFFFFFFFFFFFFFF\r\n"],
    ["a bare CR in an extension", "5;a\rb\r\n"],
    ["a bare LF in an extension", "5;a\nb\r\n"],
    ["a NUL in an extension", "5;a\0\r\n"],
    ["a trailer without a colon", "0\r\nbad\r\n\r\n"],
    ["a trailer with a space in its name", "0\r\nbad trailer: x\r\n\r\n"],
    ["a folded trailer", "0\r\nX: a\r\n b\r\n\r\n"],
    ["a bare LF at the end", "0\r\n\n"],
    ["a trailer that begins with a colon", "0\r\n: x\r\n\r\n"],
    ["trailers past the bound", `0\r\n${"X: a\r\n".repeat(200)}\r\n`],
  ] as const;
  test.each(refused)("`read()` refuses %s", (_what, text) => {
    expect(readAll(FRAMING.chunked, 0, text).rest).toBe("refused");
  });

  test("`read()` gives the same for the same bytes in any pieces", () => {
    const chunk = fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 40 });
    const cuts = fc.array(fc.nat(500), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), fc.boolean(), cuts, (chunks, upper, at) => {
        const sizes = chunks.map(({ length }) => length.toString(16));
        const coded = chunks
          .map((text, index) => {
            const size = sizes[index] ?? "";
            return `${upper ? size.toUpperCase() : size}\r\n${text}\r\n`;
          })
          .join("");
        const text = `${coded}0\r\n\r\nrest`;
        expect(readAll(FRAMING.chunked, 0, text, at)).toEqual({
          body: chunks.join(""),
          ends: 1,
          rest: "rest",
        });
      }),
    );
  });

  test("`read()` says the same of broken bytes in any pieces", () => {
    const noise = fc.array(fc.constantFrom("5", "0", "\r\n", "\n", ";", "a", "hello", ": ", "\r"), {
      maxLength: 15,
    });
    fc.assert(
      fc.property(noise, fc.array(fc.nat(100), { maxLength: 10 }), (parts, at) => {
        const text = parts.join("");
        expect(readAll(FRAMING.chunked, 0, text, at)).toEqual(readAll(FRAMING.chunked, 0, text));
      }),
      { numRuns: 500 },
    );
  });
});
