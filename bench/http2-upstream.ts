import { execFile } from "node:child_process";
import { createConnection } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findProgram } from "../test/programs.ts";
import { Measured } from "./measured.ts";
import { freePorts, waitFor } from "./ports.ts";

const execFileAsync = promisify(execFile);

/** The bytes of DATA in each kind of answer. */
export const ANSWER_BYTES = {
  small: 23,
  large: 65_536,
  /** One message of gRPC. */
  grpc: 37,
  /** A stream of gRPC, in frames as large as they may be. */
  stream: 1_048_576,
  /** The same, each message in a frame of its own. */
  messages: 1_048_576,
} as const;

const FRAME_BYTES_MAX = 16_384;
const FRAME_BYTES_OF_MESSAGES = 1024;

/** The port for each kind of answer. */
export type Http2Ports = Readonly<Record<keyof typeof ANSWER_BYTES, number>>;

/** An upstream over HTTP/2, and how to end it. */
export interface Http2Upstream {
  readonly ports: Http2Ports;
  stop(): Promise<void>;
}

/** Builds and starts `h2-upstream.c`; `undefined` where there is no C compiler, which is said. */
export async function startHttp2Upstream(folder: string): Promise<Http2Upstream | undefined> {
  const compiler = findProgram("cc");
  if (compiler === undefined) return undefined;
  const program = join(folder, "h2-upstream");
  const source = fileURLToPath(new URL("h2-upstream.c", import.meta.url));
  await execFileAsync(compiler, ["-O2", "-o", program, source], { timeout: 60_000 });
  const [small = 0, large = 0, grpc = 0, stream = 0, messages = 0] = await freePorts(5);
  const ports: Http2Ports = { small, large, grpc, stream, messages };
  const words = (Object.keys(ports) as (keyof Http2Ports)[]).map((name) => {
    const kind = name === "small" || name === "large" ? "body" : "grpc";
    const frameBytes = name === "messages" ? FRAME_BYTES_OF_MESSAGES : FRAME_BYTES_MAX;
    return `${ports[name]}:${kind}:${ANSWER_BYTES[name]}:${frameBytes}`;
  });
  const upstream = new Measured("upstream over HTTP/2", 1, program, words);
  await waitFor("upstream over HTTP/2", [upstream], () => accepts(messages));
  return { ports, stop: () => upstream.stop() };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
