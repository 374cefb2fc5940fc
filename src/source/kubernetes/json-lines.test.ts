import { describe, expect, test } from "vitest";
import { JsonLines } from "./json-lines.ts";

describe("JsonLines", () => {
  test("`push()` gives whole values wherever the bytes are cut", () => {
    const bytes = Buffer.from('{"a":"é"}\n\n[1]\n{"b"');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const lines = new JsonLines(100);
      const first = [...lines.push(bytes.subarray(0, cut))];
      const second = [...lines.push(bytes.subarray(cut))];
      expect([...first, ...second]).toEqual([{ a: "é" }, [1]]);
      expect([...lines.push(Buffer.from(":2}\n"))]).toEqual([{ b: 2 }]);
    }
  });

  test("`push()` throws on a line that is too long, also before it ends", () => {
    const lines = new JsonLines(8);
    expect([...lines.push(Buffer.from("[1,2,3]\n"))]).toEqual([[1, 2, 3]]);
    expect([...lines.push(Buffer.from("[1,2,"))]).toEqual([]);
    expect(() => [...lines.push(Buffer.from("3,4"))]).not.toThrow();
    expect(() => [...lines.push(Buffer.from(",5"))]).toThrow("longer than 8 bytes");
  });

  test("`push()` throws on what is no JSON", () => {
    expect(() => [...new JsonLines(100).push(Buffer.from("<html>\n"))]).toThrow(SyntaxError);
  });
});
