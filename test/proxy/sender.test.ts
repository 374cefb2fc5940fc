import { createServer, type Server, Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createPrng } from "../../src/base/prng.ts";
import { DirectWriter } from "../../src/proxy/net/direct-write.ts";
import { FlushQueue } from "../../src/proxy/net/flush-queue.ts";
import { Sender } from "../../src/proxy/net/sender.ts";
import { connectSocket, createReadBuffer, type SocketOwner } from "../../src/proxy/net/socket.ts";
import { until } from "../controlplane/until.ts";

/** More than the kernel keeps for a connection whose peer does not read. */
const MUCH_BYTES = 24 * 1024 * 1024;

const open: { destroy(): void }[] = [];
const servers: Server[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A connection that a sender writes to, and what its peer and its owner see. */
interface Pair {
  readonly socket: Socket;
  readonly sender: Sender;
  readonly peer: Socket;
  readonly drains: number;
  readonly closed: { readonly error: Error | undefined } | undefined;
}

async function connectPair(queue: FlushQueue): Promise<Pair> {
  const accepted: Socket[] = [];
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  servers.push(server);
  server.on("connection", (socket) => {
    socket.on("error", () => undefined);
    accepted.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const seen = { drains: 0, closed: undefined as Pair["closed"] };
  const owner: SocketOwner = {
    onBytes: () => undefined,
    onEnd: () => undefined,
    onDrain: () => void seen.drains++,
    onClose: (error) => void (seen.closed = { error }),
  };
  let isConnected = false;
  const socket = connectSocket({ host: "127.0.0.1", port }, createReadBuffer(), owner, () => {
    isConnected = true;
  });
  const sender = new Sender(socket, queue);
  // What is written before there is a connection must come first all the same.
  sender.text("early ");
  sender.flushNow();
  await until(() => isConnected && accepted.length === 1, "the connection");
  const peer = accepted[0] ?? new Socket();
  open.push(socket, peer);
  return Object.assign(seen, { socket, sender, peer });
}

/** Reads what the peer gets until the end. */
async function readAll(peer: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  peer.on("data", (chunk: Buffer) => chunks.push(chunk));
  const end = new Promise((resolve) => peer.on("end", resolve));
  peer.resume();
  await end;
  return Buffer.concat(chunks).toString("latin1");
}

const ways: [string, () => FlushQueue][] = [
  ["through the stream", () => new FlushQueue(undefined)],
];
const direct = DirectWriter.create();
if (direct !== undefined) ways.push(["to the handle", () => new FlushQueue(direct)]);

test("writing to the handle is possible on this Node", () => {
  expect(direct).toBeDefined();
});

test.each(ways)("Sender %s keeps the order of all that is written", async (_, queue) => {
  const { sender, socket, peer } = await connectPair(queue());
  const prng = createPrng(7);
  const shared = Buffer.alloc(65_536);
  let expected = "early ";
  const received = readAll(peer);
  for (let step = 0; step < 300; step++) {
    const kind = Math.floor(prng.next() * 4);
    if (kind === 0) {
      sender.text(`text ${step} \xff\n`);
      expected += `text ${step} \xff\n`;
    } else if (kind === 1) {
      sender.flush();
    } else {
      const length = Math.floor(prng.next() * (kind === 2 ? 100 : 65_536));
      // The next read of any connection overwrites the buffer.
      shared.fill(97 + (step % 26));
      sender.bytes(shared, 0, length);
      expected += String.fromCharCode(97 + (step % 26)).repeat(length);
    }
    if (step % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  sender.flushNow();
  socket.end();
  // Compared before `expect`, which would print megabytes.
  expect((await received) === expected).toBe(true);
});

test.each(ways)("Sender %s is full while the peer does not read, and drains", async (_, queue) => {
  const pair = await connectPair(queue());
  const { sender, socket, peer } = pair;
  const shared = Buffer.alloc(65_536, "x");
  let written = 0;
  while (!sender.isFull && written < MUCH_BYTES) {
    sender.bytes(shared, 0, shared.length);
    written += shared.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(sender.isFull).toBe(true);
  expect(pair.drains).toBe(0);
  shared.fill("y");
  sender.text("last");
  sender.flush();
  const received = readAll(peer);
  await until(() => pair.drains > 0, "a drain event");
  expect(sender.isFull).toBe(false);
  socket.end();
  const text = await received;
  expect(text.length).toBe("early ".length + written + "last".length);
  expect(text.includes("xy")).toBe(false);
  expect(text.endsWith("xlast")).toBe(true);
});

test.each(ways)("Sender %s: the end comes after what waits", async (_, queue) => {
  const { sender, socket, peer } = await connectPair(queue());
  const shared = Buffer.alloc(65_536, "x");
  let written = 0;
  for (; !sender.isFull && written < MUCH_BYTES; written += shared.length) {
    sender.bytes(shared, 0, shared.length);
  }
  socket.end();
  const text = await readAll(peer);
  expect(text.length).toBe("early ".length + written);
});

test.each(ways)("Sender %s: a peer that is gone closes the socket", async (_, queue) => {
  const pair = await connectPair(queue());
  const { sender, peer } = pair;
  const shared = Buffer.alloc(65_536, "x");
  for (let written = 0; !sender.isFull && written < MUCH_BYTES; written += shared.length) {
    sender.bytes(shared, 0, shared.length);
  }
  peer.resetAndDestroy();
  await until(() => {
    sender.text("x");
    sender.flushNow();
    return pair.closed !== undefined;
  }, "the end");
  expect(["ECONNRESET", "EPIPE"]).toContain(
    (pair.closed?.error as NodeJS.ErrnoException | undefined)?.code,
  );
});

test.each(ways)("Sender %s: destroying drops what waits without an error", async (_, queue) => {
  const pair = await connectPair(queue());
  const { sender, socket } = pair;
  const shared = Buffer.alloc(65_536, "x");
  for (let written = 0; !sender.isFull && written < MUCH_BYTES; written += shared.length) {
    sender.bytes(shared, 0, shared.length);
  }
  socket.destroy();
  sender.text("late");
  sender.flushNow();
  sender.bytes(shared, 0, shared.length);
  await until(() => pair.closed !== undefined, "the end");
  expect(pair.closed?.error).toBeUndefined();
  expect(pair.drains).toBe(0);
});
