import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { Workload } from "./base-mesh.ts";

/** What an app says about the request that it got. */
export interface Echo {
  /** The workload's name. */
  readonly by: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** `1.1`. */
  readonly httpVersion: string;
}

/** Before a path: how often the app was asked for it. */
export const SEEN = "/seen";

/** Headers of a request that say how it is answered. */
const ANSWER_STATUS = "x-answer-status";
const ANSWER_AFTER_MS = "x-answer-after-ms";

/** An app that tells what it was asked, as the request wishes it to. Returns the way to stop it. */
export async function startEchoApp(workload: Workload, port: number): Promise<() => Promise<void>> {
  const seen = new Map<string, number>();
  const server = createServer((request, response) => {
    request.resume();
    const path = request.url ?? "";
    if (path.startsWith(SEEN)) {
      response.end(String(seen.get(path.slice(SEEN.length)) ?? 0));
      return;
    }
    seen.set(path, (seen.get(path) ?? 0) + 1);
    const echo: Echo = {
      by: workload.name,
      method: request.method ?? "",
      path,
      headers: request.headers,
      httpVersion: request.httpVersion,
    };
    response.setHeader("content-type", "application/json");
    response.statusCode = Number(request.headers[ANSWER_STATUS] ?? 200);
    const answer = (): void => void response.end(JSON.stringify(echo));
    const afterMs = Number(request.headers[ANSWER_AFTER_MS] ?? 0);
    if (afterMs === 0) answer();
    else setTimeout(answer, afterMs);
  });
  server.on("upgrade", (request, socket) => {
    // Whatever is spoken from here on comes back as it is.
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n`);
    socket.write(`upgrade: ${request.headers.upgrade}\r\n\r\n`);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.keepAliveTimeout = 0;
  server.listen(port, workload.isNaked === true ? workload.podIp : workload.appAddress);
  await once(server, "listening");
  return async () => {
    server.close();
    server.closeAllConnections();
    if (server.listening) await once(server, "close");
  };
}
