import { describe, expect, test } from "vitest";
import { SimClock } from "../base/sim-clock.ts";
import { ResponseWriter, UNREAD_MS_MAX } from "./response-writer.ts";

/** A network that takes bytes when the test says so. */
function setUp(): {
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
    target: { write: (_bytes, onWritten) => pending.push(onWritten) },
    onDrained: () => log.push("drained"),
    onWritten: (tookMs) => log.push(`took ${tookMs}`),
    onStuck: () => log.push("stuck"),
  });
  return { clock, writer, log, take: () => pending.shift()?.() };
}

describe("ResponseWriter", () => {
  test("has room for small responses, and none beside a large one", async () => {
    const { clock, writer, take, log } = setUp();
    expect(writer.write(Buffer.alloc(1000))).toBe(true);
    expect(writer.write(Buffer.alloc(1_000_000))).toBe(false);
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
    writer.write(Buffer.alloc(10));
    writer.write(Buffer.alloc(10));
    await clock.advance(UNREAD_MS_MAX - 1);
    take();
    await clock.advance(UNREAD_MS_MAX - 1);
    expect(log).not.toContain("stuck");
    await clock.advance(1);
    expect(log).toContain("stuck");
  });

  test("`close()` leaves no timer, and what is written later is nobody's", () => {
    const { clock, writer, take, log } = setUp();
    writer.write(Buffer.alloc(1_000_000));
    writer.close();
    take();
    expect(log).toEqual([]);
    expect(clock.timersPending).toBe(0);
  });
});
