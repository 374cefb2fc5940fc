import { expect, it } from "vitest";
import { Semaphore } from "./semaphore.ts";

it("`Semaphore` lets the waiting in, in order, and forgets who gave up", async () => {
  const semaphore = new Semaphore(1);
  const order: string[] = [];
  const first = semaphore.acquire();
  const second = semaphore.acquire();
  const third = semaphore.acquire();
  void first.acquired.then((isIn) => order.push(`first ${isIn}`));
  void second.acquired.then((isIn) => order.push(`second ${isIn}`));
  void third.acquired.then((isIn) => order.push(`third ${isIn}`));
  second.release();
  first.release();
  first.release();
  await third.acquired;
  expect(order).toEqual(["first true", "second false", "third true"]);
});
