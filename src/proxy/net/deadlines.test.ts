import { expect, test } from "vitest";
import { SimClock } from "../../base/sim-clock.ts";
import { Deadline, Deadlines, ResizableDeadlines } from "./deadlines.ts";

function note(fired: string[], name: string): Deadline {
  return new Deadline({ onDeadline: () => fired.push(name) });
}

test("deadlines of one length fire in their order, and not when they are cancelled", async () => {
  const clock = new SimClock();
  const deadlines = new Deadlines(clock);
  const fired: string[] = [];
  const [a, b, c] = [note(fired, "a"), note(fired, "b"), note(fired, "c")];
  deadlines.set(a, 100, clock.monotonicMs());
  await clock.advance(40);
  deadlines.set(b, 100, clock.monotonicMs());
  deadlines.set(c, 100, clock.monotonicMs());
  b.cancel();
  await clock.advance(59);
  expect(fired).toEqual([]);
  await clock.advance(1);
  expect(fired).toEqual(["a"]);
  await clock.advance(40);
  expect(fired).toEqual(["a", "c"]);
  expect([a, b, c].some(({ isSet }) => isSet)).toBe(false);
});

test("resized deadlines fall due by their new length, counted from when they were set", async () => {
  const clock = new SimClock();
  const deadlines = new ResizableDeadlines(clock);
  const fired: string[] = [];
  const early = note(fired, "early");
  // The lane's timer is armed for somebody who has gone when the length changes.
  deadlines.set(early, 1000, clock.monotonicMs());
  early.cancel();
  deadlines.resize((delayMs) => delayMs / 10);
  deadlines.set(note(fired, "short"), 1000, clock.monotonicMs());
  await clock.advance(100);
  expect(fired).toEqual(["short"]);
  deadlines.set(note(fired, "stretched"), 1000, clock.monotonicMs());
  await clock.advance(50);
  deadlines.resize((delayMs) => delayMs);
  await clock.advance(900);
  expect(fired).toEqual(["short"]);
  await clock.advance(50);
  expect(fired).toEqual(["short", "stretched"]);
  deadlines.set(note(fired, "overdue"), 1000, clock.monotonicMs());
  await clock.advance(500);
  deadlines.resize(() => 100);
  await clock.advance(1);
  expect(fired).toEqual(["short", "stretched", "overdue"]);
});
