import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { SERVICE_PORT, type Workload } from "./base-mesh.ts";

/** What an app says about the request that it got. */
export interface Echo {
  /** The workload's name. */
  readonly by: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** An app that tells what it was asked. Returns the way to stop it. */
export async function startEchoApp(workload: Workload): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    request.resume();
    const echo: Echo = {
      by: workload.name,
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(echo));
  });
  server.keepAliveTimeout = 0;
  server.listen(SERVICE_PORT, workload.appAddress);
  await once(server, "listening");
  return async () => {
    server.close();
    server.closeAllConnections();
    if (server.listening) await once(server, "close");
  };
}
