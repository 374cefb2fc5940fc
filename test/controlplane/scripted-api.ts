import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { KubernetesAccess } from "../../src/source/kubernetes-access.ts";

/** A request that the script answers. */
export interface ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
}

/** A Kubernetes API server that says what a test wants it to: what a real one says once in a while. */
export class ScriptedApi {
  /** Every request, `GET /path?query`, in order. */
  readonly asked: string[] = [];
  /** Watches that are open. */
  readonly watches = new Set<ServerResponse>();
  answer: (request: ScriptedRequest) => void = ({ response }) => fail(response, 500, "no script");
  readonly #server: Server = createServer((request, response) => this.#serve(request, response));

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get access(): KubernetesAccess {
    const { port } = this.#server.address() as AddressInfo;
    return {
      server: new URL(`http://127.0.0.1:${port}`),
      name: "scripted",
      authorize: () => Promise.resolve({ headers: {} }),
      forget: () => undefined,
    };
  }

  /** An event for every watch that is open. */
  send(type: string, object: object): void {
    for (const watch of this.watches) watch.write(`${JSON.stringify({ type, object })}\n`);
  }

  /** Ends watches as a server that is told to stop does. */
  endWatches(): void {
    for (const watch of this.watches) watch.end();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://x");
    this.asked.push(`${request.method} ${request.url}`);
    if (searchParams.get("watch") === "true") {
      this.watches.add(response);
      response.on("close", () => this.watches.delete(response));
    }
    const method = request.method ?? "";
    this.answer({ method, path: pathname, query: searchParams, response });
  }
}

/** Answers with a list. */
export function list(
  response: ServerResponse,
  items: readonly object[],
  resourceVersion: string,
  next?: string,
): void {
  const metadata = { resourceVersion, ...(next !== undefined && { continue: next }) };
  response.end(JSON.stringify({ kind: "List", metadata, items }));
}

/** Refuses as Kubernetes does. */
export function fail(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code).end(JSON.stringify({ kind: "Status", code, message }));
}

/** A service as the API has it. */
export function service(name: string, port: number, resourceVersion = "1"): object {
  return { metadata: { name, namespace: "ns", resourceVersion }, spec: { ports: [{ port }] } };
}
