import { createServer, type Server } from "node:http";

const REQUEST_TIMEOUT_MS = 5_000;

/** Answers `/healthz/ready` on the pod's address: 200 when the pod's proxy is ready, else 503. */
export class HealthServer {
  readonly #server: Server;
  readonly #address: string;
  readonly #port: number;

  constructor(address: string, port: number, isReady: () => Promise<boolean>) {
    this.#address = address;
    this.#port = port;
    this.#server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      if (request.url !== "/healthz/ready") {
        response.writeHead(404).end();
        return;
      }
      void isReady().then((ready) => response.writeHead(ready ? 200 : 503).end());
    });
  }

  /** Rejects when the address cannot be had. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: this.#address, port: this.#port }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}
