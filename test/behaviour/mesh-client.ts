import {
  Agent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type RequestOptions,
} from "node:http";
import type { Echo } from "./echo-app.ts";

/** What came back. `error` stands for no answer at all. */
export interface Answer {
  readonly status: number;
  readonly echo: Echo | undefined;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  readonly error?: string;
}

/** Where requests are sent to: an explicit proxy, or what answers as if it were the host. */
export interface Entrance {
  readonly host: string;
  readonly port: number;
  readonly isProxy: boolean;
}

const TIMEOUT_MS = 5_000;

/** Sends requests over kept connections, as apps do. */
export class MeshClient {
  readonly #agent = new Agent({ keepAlive: true });

  /** `METHOD URL`, in absolute form to a proxy (`http_proxy`), or straight to a gateway's address. */
  send(
    line: string,
    to: Entrance,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const [method = "GET", target = ""] = line.split(" ");
    const url = new URL(target);
    // As it was written: `URL` lowers the letters of a host and drops the scheme's own port.
    const authority = /^http:\/\/([^/]*)/.exec(target)?.[1] ?? url.host;
    const options: RequestOptions = {
      agent: this.#agent,
      host: to.host,
      port: to.port,
      method,
      path: to.isProxy ? target : `${url.pathname}${url.search}`,
      headers: { host: authority, ...headers },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    };
    return new Promise((resolve) => {
      const fail = (error: Error): void =>
        resolve({ status: 0, echo: undefined, text: "", headers: {}, error: error.message });
      const request = httpRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", fail);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const isEcho = response.headers["content-type"] === "application/json";
          resolve({
            status: response.statusCode ?? 0,
            echo: isEcho ? (JSON.parse(text) as Echo) : undefined,
            text,
            headers: response.headers,
          });
        });
      });
      request.on("error", fail);
      request.end();
    });
  }

  /** Changes the protocol of a connection, sends a text and returns as much as comes back. */
  upgrade(url: string, to: Entrance, text: string): Promise<string> {
    const { host, pathname } = new URL(url);
    const request = httpRequest({
      host: to.host,
      port: to.port,
      path: to.isProxy ? url : pathname,
      headers: { host, connection: "Upgrade", upgrade: "websocket" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return new Promise((resolve, reject) => {
      request.on("error", reject);
      request.on("response", ({ statusCode }) => reject(new Error(`answered with ${statusCode}`)));
      request.on("upgrade", (_, socket) => {
        let got = "";
        socket.on("error", reject);
        socket.on("data", (chunk: Buffer) => {
          got += chunk.toString("utf8");
          if (got.length < text.length) return;
          socket.destroy();
          resolve(got);
        });
        socket.write(text);
      });
      request.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
