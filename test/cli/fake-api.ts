import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError, type Command, type CommandIo } from "../../src/cli/command.ts";

/** One request that the API got. */
export interface SeenCall {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** What a route answers: JSON, or whatever a function writes. */
export type FakeAnswer =
  | {
      readonly status?: number;
      readonly json: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | ((response: ServerResponse, call: SeenCall) => void);

/** An API that answers what a test told it to, and a home whose kubeconfig leads to it. */
export class FakeApi {
  readonly calls: SeenCall[] = [];
  /** By `METHOD /path`; what is missing is 404. */
  readonly routes = new Map<string, FakeAnswer>();
  readonly home = mkdtempSync(join(tmpdir(), "weft-cli-"));
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://api");
      const text = Buffer.concat(chunks).toString("utf8");
      const call: SeenCall = {
        method: request.method ?? "",
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: text === "" ? undefined : (JSON.parse(text) as unknown),
      };
      this.calls.push(call);
      this.#answer(call, response);
    });
  });

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const kubeconfig = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "weft",
      contexts: [{ name: "weft", context: { cluster: "weft", user: "admin" } }],
      clusters: [{ name: "weft", cluster: { server: `http://${this.address}` } }],
      users: [{ name: "admin", user: { token: "secret" } }],
    };
    writeFileSync(join(this.home, "kubeconfig"), JSON.stringify(kubeconfig));
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, "close");
    rmSync(this.home, { recursive: true });
  }

  /** Forgets routes and calls. */
  reset(): void {
    this.calls.length = 0;
    this.routes.clear();
  }

  #answer(call: SeenCall, response: ServerResponse): void {
    const answer = this.routes.get(`${call.method} ${call.path}`) ?? {
      status: 404,
      json: {
        kind: "Status",
        reason: "NotFound",
        message: `"${call.path.split("/").at(-1)}" not found`,
        code: 404,
      },
    };
    if (typeof answer === "function") return answer(response, call);
    response.writeHead(answer.status ?? 200, {
      "content-type": "application/json",
      ...answer.headers,
    });
    response.end(JSON.stringify(answer.json));
  }
}

/** What a command printed and how it ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process, its errors shown as `weft` shows them. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  options: {
    readonly home: string;
    readonly stdin?: string;
    readonly signal?: AbortSignal;
    readonly onStdout?: (text: string) => void;
  },
): Promise<CommandResult> {
  let stdout = "";
  let stderr = "";
  const io: CommandIo = {
    stdout: (text) => {
      stdout += text;
      options.onStdout?.(stdout);
    },
    stderr: (text) => {
      stderr += text;
    },
    stdin: () => Promise.resolve(options.stdin ?? ""),
    env: { WEFT_HOME: options.home },
    isTerminal: false,
    signal: options.signal ?? new AbortController().signal,
  };
  try {
    return { exitCode: await command.run(args, io), stdout, stderr };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { exitCode: error.exitCode, stdout, stderr: `${stderr}weft: ${error.message}\n` };
  }
}
