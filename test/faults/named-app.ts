import { once } from "node:events";
import { createServer } from "node:http";

/** Starts an app that answers every request with its name; returns the way to stop it. */
export async function startNamedApp(
  name: string,
  host: string,
  port: number,
): Promise<() => Promise<void>> {
  const server = createServer((_request, response) => response.end(name));
  // Ending an idle connection would race with a request on it, which no proxy can help.
  server.keepAliveTimeout = 0;
  server.listen(port, host);
  await once(server, "listening");
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}
