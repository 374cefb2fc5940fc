import { connect, type Socket } from "node:net";
import { MessageReader, type WireMessage } from "./wire-message.ts";

/** How long an answer may take; then whatever came is the answer. */
const ANSWER_MS_MAX = 5_000;
/** After the last answer so long is waited for more, or for the end of the connection. */
const QUIET_MS = 30;

/** What a client saw. */
export interface RawAnswer {
  readonly messages: readonly WireMessage[];
  /** Bytes that were no whole message. */
  readonly rest: string;
}

/** What to send, and how much to expect. */
export interface RawRequest {
  /** Written one after the other; an entry waits until the one before has been answered in part. */
  readonly parts: readonly string[];
  /** How many answers come, interim ones included. */
  readonly answers: number;
  /** The methods of the requests, so that an answer to HEAD is known to have no body. */
  readonly methods?: readonly string[];
  readonly port: number;
  readonly host?: string;
}

/** Sends exactly these bytes (Latin-1) and reads what comes back. */
export async function exchangeRaw(request: RawRequest): Promise<RawAnswer> {
  const { host = "127.0.0.1", port, parts, answers } = request;
  const socket = connect(port, host);
  const reader = new MessageReader("response", request.methods ?? []);
  let hasEnded = false;
  socket.on("data", (chunk: Buffer) => reader.push(chunk.toString("latin1")));
  socket.on("end", () => {
    hasEnded = true;
    reader.end();
  });
  socket.on("error", () => undefined);
  const isDone = (): boolean => hasEnded || reader.messages.length >= answers;
  try {
    for (const [at, part] of parts.entries()) {
      socket.write(part, "latin1");
      if (at < parts.length - 1) await pause(QUIET_MS);
    }
    await waitFor(socket, isDone, ANSWER_MS_MAX);
    await waitFor(socket, () => hasEnded, QUIET_MS);
  } finally {
    socket.destroy();
  }
  return { messages: reader.messages, rest: reader.rest };
}

function waitFor(socket: Socket, isDone: () => boolean, timeoutMs: number): Promise<void> {
  if (isDone()) return Promise.resolve();
  return new Promise((resolve) => {
    const check = (): void => {
      if (isDone()) end();
    };
    const end = (): void => {
      clearTimeout(timer);
      for (const event of ["data", "end", "close"]) socket.off(event, check);
      resolve();
    };
    const timer = setTimeout(end, timeoutMs);
    for (const event of ["data", "end", "close"]) socket.on(event, check);
  });
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
