import { createServer } from "node:net";
import type { Measured } from "./measured.ts";

const START_MS_MAX = 60_000;

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

/** Resolves when `probe` does; rejects when a process ends first, or the time is up. */
export async function waitFor(
  what: string,
  processes: readonly Measured[],
  probe: () => Promise<boolean>,
): Promise<void> {
  const startMs = performance.now();
  while (performance.now() - startMs < START_MS_MAX) {
    const ended = processes.find(({ hasEnded }) => hasEnded);
    if (ended !== undefined) {
      throw new Error(`${ended.name} ended while starting: ${ended.lastWords.trim()}`);
    }
    if (await probe().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} was not ready within ${START_MS_MAX} ms`);
}
