import { ApiClient } from "./api-client.ts";
import type { CommandIo } from "./command.ts";
import { type LocationFlags, readApiAccess } from "./kubeconfig.ts";

/** Runs `work` with a client of the mesh that the flags lead to, and closes it. */
export async function connect<T>(
  flags: LocationFlags,
  io: CommandIo,
  work: (client: ApiClient) => Promise<T>,
): Promise<T> {
  const client = new ApiClient(readApiAccess(flags, io.env), io.signal);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}
