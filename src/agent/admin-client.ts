import { request } from "node:http";

const TIMEOUT_MS = 1_000;
const BODY_BYTES_MAX = 1024 * 1024;

/** An admin interface's answer. */
export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** Asks a proxy's admin interface; `undefined` when it does not answer in time. */
export function askAdmin(
  address: string,
  port: number,
  method: "GET" | "POST",
  path: string,
): Promise<AdminAnswer | undefined> {
  return new Promise((resolve) => {
    const options = { host: address, port, method, path, agent: false, timeout: TIMEOUT_MS };
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > BODY_BYTES_MAX) outgoing.destroy();
        else chunks.push(chunk);
      });
      response.once("end", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        resolve({ status: response.statusCode ?? 0, body });
      });
    });
    outgoing.once("timeout", () => outgoing.destroy());
    outgoing.once("error", () => resolve(undefined));
    outgoing.once("close", () => resolve(undefined));
    outgoing.end();
  });
}
