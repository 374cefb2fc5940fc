import { Agent, createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** An app that answers every request with its name. */
export interface Upstream {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts one on a free port of `host`, or on the given one. */
export async function startUpstream(text: string, host = "127.0.0.1", port = 0): Promise<Upstream> {
  const server: Server = createServer((_request, response) => response.end(text));
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** What a request came to: `200 text`, or the error. */
export function get(
  port: number,
  options: { readonly host?: string; readonly agent?: Agent; readonly address?: string } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request(
      {
        host: options.address ?? "127.0.0.1",
        port,
        path: "/",
        ...(options.agent !== undefined && { agent: options.agent }),
        ...(options.host !== undefined && { headers: { host: options.host } }),
      },
      (response) => {
        let text = `${response.statusCode} `;
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve(text));
        response.on("error", (error) => resolve(error.message));
      },
    );
    outgoing.on("error", (error) => resolve(error.message));
    outgoing.end();
  });
}

/** Requests without a pause over some connections, until it is told to stop. */
export class Load {
  /** How often each answer came. */
  readonly answers = new Map<string, number>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #workers: Promise<void>[];
  #isStopped = false;

  constructor(send: (agent: Agent) => Promise<string>, connections: number) {
    this.#workers = Array.from({ length: connections }, async () => {
      while (!this.#isStopped) {
        const answer = await send(this.#agent);
        this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
      }
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    this.#agent.destroy();
  }
}
