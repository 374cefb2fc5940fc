import { describe, expect, test } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { GrpcMessage } from "./grpc-message.ts";
import { ResponseWriter, UNREAD_MS_MAX } from "./response-writer.ts";
import { WriteBudget } from "./write-budget.ts";

const response = (bytes: number): GrpcMessage => new GrpcMessage([Buffer.alloc(bytes)]);

/** A network that takes bytes when the test says so. */
function setUp(budget = new WriteBudget()): {
  readonly clock: SimClock;
  readonly writer: ResponseWriter;
  readonly take: () => void;
  readonly log: string[];
} {
  const clock = new SimClock();
  const pending: (() => void)[] = [];
  const log: string[] = [];
  const writer = new ResponseWriter({
    clock,
    budget,
    target: { write: (_response, onWritten) => pending.push(onWritten) },
    onDrained: () => log.push("drained"),
    onWritten: (tookMs) => log.push(`took ${tookMs}`),
    onStuck: () => log.push("stuck"),
  });
  return { clock, writer, log, take: () => pending.shift()?.() };
}

describe("ResponseWriter", () => {
  test("has room for small responses, and none beside a large one", async () => {
    const { clock, writer, take, log } = setUp();
    writer.write(response(1000));
    expect(writer.hasRoom()).toBe(true);
    writer.write(response(1_000_000));
    expect(writer.hasRoom()).toBe(false);
    await clock.advance(5);
    take();
    expect(log).toEqual(["took 5"]);
    take();
    expect(log).toEqual(["took 5", "took 5", "drained"]);
    expect(writer).toMatchObject({ pendingBytes: 0, bytesSent: 1_001_000, responses: 2 });
    expect(clock.timersPending).toBe(0);
  });

  test("tells when a client does not read, and not when it does so slowly", async () => {
    const { clock, writer, take, log } = setUp();
    writer.write(response(10));
    writer.write(response(10));
    await clock.advance(UNREAD_MS_MAX - 1);
    take();
    await clock.advance(UNREAD_MS_MAX - 1);
    expect(log).not.toContain("stuck");
    await clock.advance(1);
    expect(log).toContain("stuck");
  });

  test("waits for others' responses, but not for those of who does not read", async () => {
    const budget = new WriteBudget(1000);
    const [slow, other] = [setUp(budget), setUp(budget)];
    slow.writer.write(response(1000));
    expect(budget.bytes).toBe(1000);
    expect(other.writer.hasRoom()).toBe(false);
    slow.take();
    expect(budget.bytes).toBe(0);
    expect(other.log).toEqual(["drained"]);
    slow.writer.write(response(1000));
    expect(other.writer.hasRoom()).toBe(false);
    await slow.clock.advance(1000);
    expect(other.log).toEqual(["drained", "drained"]);
    expect(budget.bytes).toBe(0);
    slow.take();
    expect(budget.bytes).toBe(0);
  });

  test("`close()` leaves no timer and no debt, and what is written later is nobody's", () => {
    const budget = new WriteBudget(1000);
    const { clock, writer, take, log } = setUp(budget);
    writer.write(response(1_000_000));
    writer.close();
    take();
    expect(log).toEqual([]);
    expect(budget.isFull).toBe(false);
    expect(clock.timersPending).toBe(0);
  });
});
