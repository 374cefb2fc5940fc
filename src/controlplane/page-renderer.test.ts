import { describe, expect, it } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { BusyError, PageRenderer, RENDERS_MAX } from "./page-renderer.ts";

describe("PageRenderer", () => {
  it("writes all pieces, in few writes", async () => {
    const writes: string[] = [];
    const pieces = Array.from({ length: 1000 }, (_, index) => `${index},`.padEnd(200, "x"));
    await new PageRenderer(new SimClock()).render(pieces, async (text) => {
      writes.push(text);
    });
    expect(writes.join("")).toBe(pieces.join(""));
    expect(writes).toHaveLength(4);
  });

  it("lets others have their turn while it makes a page", async () => {
    let nowMs = 0;
    const renderer = new PageRenderer({ monotonicMs: () => nowMs });
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const slow = (function* () {
      for (let piece = 0; piece < 50; piece++) {
        nowMs += 2;
        yield "x";
      }
    })();
    await renderer.render(slow, async () => undefined);
    isOver = true;
    expect(turns).toBeGreaterThanOrEqual(10);
  });

  it("makes only some at a time, refuses what is too much, and hands places on", async () => {
    const renderer = new PageRenderer(new SimClock());
    const readers: (() => void)[] = [];
    let written = 0;
    const ask = (): Promise<unknown> =>
      renderer
        .render(["x"], () => {
          written += 1;
          return new Promise((resolve) => readers.push(resolve));
        })
        .catch((error: unknown) => error);
    const answers = Array.from({ length: RENDERS_MAX + 33 }, ask);
    expect(await answers.at(-1)).toBeInstanceOf(BusyError);
    expect(written).toBe(RENDERS_MAX);
    expect(renderer.pending).toBe(RENDERS_MAX + 32);
    const over = Promise.all(answers);
    while (renderer.pending > 0) {
      readers.shift()?.();
      await new Promise(setImmediate);
    }
    await over;
    expect(written).toBe(RENDERS_MAX + 32);
  });

  it("gives its place back when nobody reads any more, or the page fails", async () => {
    const renderer = new PageRenderer(new SimClock());
    const gone = renderer.render(["x"], () => Promise.reject(new Error("gone")));
    await expect(gone).rejects.toThrow("gone");
    const failing = (function* (): Generator<string> {
      yield "x";
      throw new Error("a bug");
    })();
    await expect(renderer.render(failing, async () => undefined)).rejects.toThrow("a bug");
    expect(renderer.pending).toBe(0);
  });
});
