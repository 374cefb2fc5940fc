import { expect, test } from "vitest";
import { nodeClock } from "../../src/base/node-clock.ts";
import { FlushQueue } from "../../src/proxy/net/flush-queue.ts";
import { TurnClock } from "../../src/proxy/net/turn-clock.ts";

test("TurnClock gives one time in a turn of the event loop and the next in the next", async () => {
  let realMs = 100;
  const real = { ...nodeClock, monotonicMs: () => realMs };
  const clock = new TurnClock(real, new FlushQueue(undefined));
  const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  expect(clock.monotonicMs()).toBe(100);
  realMs = 105;
  expect(clock.monotonicMs()).toBe(100);
  await endOfTurn();
  expect(clock.monotonicMs()).toBe(105);
  // Also after turns in which nobody asked.
  await endOfTurn();
  await endOfTurn();
  realMs = 112;
  expect(clock.monotonicMs()).toBe(112);
});
