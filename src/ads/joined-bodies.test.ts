import { describe, expect, it, type Mock, vi } from "vitest";
import { JoinedBodies, joinPieces } from "./joined-bodies.ts";

describe("joinPieces()", () => {
  const bytes = (length: number, value: number): Buffer => Buffer.alloc(length, value);

  it("puts what is small together, and does not copy what is large", () => {
    const large = bytes(100_000, 3);
    const given = [bytes(2, 1), bytes(3, 2), large, bytes(4, 4)];
    const { pieces, copied } = joinPieces(given);
    expect(pieces).toHaveLength(3);
    expect(pieces[1]).toBe(large);
    expect(copied).toBe(9);
    expect(Buffer.concat(pieces)).toEqual(Buffer.concat(given));
  });

  it("makes nothing of nothing", () => {
    expect(joinPieces([])).toEqual({ pieces: [], copied: 0 });
  });
});

describe("JoinedBodies", () => {
  it("has the earliest given up when there is too much, never the latest", () => {
    const bodies = new JoinedBodies(100);
    const [first, second, third] = [keeper(), keeper(), keeper()];
    const isForgotten = (): readonly boolean[] =>
      [first, second, third].map(({ forgetJoined }) => forgetJoined.mock.calls.length > 0);
    bodies.keep(first, 60);
    bodies.keep(second, 40);
    expect(isForgotten()).toEqual([false, false, false]);
    bodies.keep(third, 200);
    expect(isForgotten()).toEqual([true, true, false]);
    expect(bodies.bytes).toBe(200);
  });
});

function keeper(): { readonly forgetJoined: Mock<() => void> } {
  return { forgetJoined: vi.fn<() => void>() };
}
