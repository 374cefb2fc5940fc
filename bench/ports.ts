import { createServer } from "node:net";
import type { Measured } from "./measured.ts";

const START_MS_MAX = 15_000;

/** So many ports of 127.0.0.1 that nobody listens on now. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => {
            const address = server.address();
            resolve(address !== null && typeof address === "object" ? address.port : 0);
          });
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Resolves when the address answers 200; rejects when the process ends first, or does not. */
export async function waitForHttp(url: string, process: Measured): Promise<void> {
  const startMs = performance.now();
  while (performance.now() - startMs < START_MS_MAX) {
    if (process.hasEnded) throw new Error(`${process.name} ended while starting`);
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
      await response.arrayBuffer();
      if (response.status === 200) return;
    } catch {
      // Not up yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${process.name} did not answer at ${url} within ${START_MS_MAX} ms`);
}
