import { expect, it } from "vitest";
import { nodeClock } from "./node-clock.ts";

it("`nodeClock` does not take a wait that is too long for one that is over", async () => {
  const aborter = new AbortController();
  const ended: string[] = [];
  const timer = nodeClock.setTimer(2 ** 40, () => ended.push("timer"));
  const sleeping = nodeClock.sleep(2 ** 40, aborter.signal).then(() => ended.push("sleep"));
  await nodeClock.sleep(20);
  expect(ended).toEqual([]);
  timer.cancel();
  aborter.abort();
  await sleeping;
});
