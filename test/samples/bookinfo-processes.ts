import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** One running service of Bookinfo. */
export interface BookinfoProcess {
  readonly port: number;
  /** Lines that it wrote so far. */
  readonly lines: readonly string[];
  /** Ends it with SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `dist/bookinfo.js SERVICE` on a free port; rejects with what it wrote when it ends early. */
export async function startBookinfo(
  service: string,
  env: Readonly<Record<string, string>> = {},
): Promise<BookinfoProcess> {
  const child = spawn(process.execPath, [join(repository, "dist/bookinfo.js"), service], {
    env: { PATH: process.env["PATH"], PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const port = await new Promise<number>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        const match = /listens on .*:(\d+)$/.exec(line);
        if (match !== null) resolve(Number(match[1]));
      });
    }
    child.once("close", (code) => reject(new Error(`exit ${code}: ${lines.join("\n")}`)));
  });
  return { port, lines, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    await exit;
  }
  return child.exitCode;
}

/** One request that went through the proxy. */
export interface SeenRequest {
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

/** Stands where a sidecar's `http_proxy` stands: sends by host name, and keeps what it saw. */
export class RecordingProxy {
  readonly seen: SeenRequest[] = [];
  /** Host name to port on 127.0.0.1; a name that is missing gets 503. */
  readonly backends = new Map<string, number>();
  readonly #server = createServer((request, response) => {
    const target = request.url ?? "";
    this.seen.push({ target, headers: request.headers });
    const port = URL.canParse(target) ? this.backends.get(new URL(target).hostname) : undefined;
    if (port === undefined) {
      response.writeHead(503).end("no healthy upstream");
      return;
    }
    const { pathname } = new URL(target);
    const { method, headers } = request;
    const upstream = httpRequest(
      { host: "127.0.0.1", port, path: pathname, method, headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    upstream.on("error", () => response.writeHead(503).end());
    request.pipe(upstream);
  });

  /** Starts it; its URL. */
  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, "close");
  }
}
