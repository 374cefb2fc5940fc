import { readFileSync } from "node:fs";
import { CliError, type CommandIo } from "./command.ts";
import { type Monitoring, type ProxySync, readPage } from "./monitoring-client.ts";
import { diffDumps, type KindDiff } from "./proxy-diff.ts";

/** Where the proxy's side of a comparison is from, and how it came out. */
export interface ProxyComparison {
  readonly source: string;
  /** Absent when the proxy could not be asked. */
  readonly kinds?: readonly KindDiff[];
  readonly problem?: string;
}

/**
 * Compares what the control plane hands out to a proxy with what that has, by its admin interface or
 * by a dump in a file. A proxy that cannot be asked is no failure: what it acknowledged is known.
 */
export async function compareProxy(
  { proxy, node_id: nodeId }: ProxySync,
  { monitoring, file, adminPort }: { monitoring: Monitoring; file?: string; adminPort: number },
  io: CommandIo,
): Promise<ProxyComparison> {
  const page = `/debug/config_dump?include_eds&proxyID=${encodeURIComponent(proxy)}`;
  const ours = JSON.parse(await readPage(monitoring, page, io.signal)) as unknown;
  if (file !== undefined) {
    return { source: file, kinds: diffDumps(ours, parseDump(await readDumpFile(file, io), file)) };
  }
  const ip = nodeId.split("~")[1] ?? "";
  const addr = `${ip.includes(":") ? `[${ip}]` : ip}:${adminPort}`;
  const admin: Monitoring = {
    addr,
    absent: () => new CliError(`the proxy's admin interface at ${addr} does not answer`),
  };
  const source = `http://${addr}/config_dump`;
  try {
    const text = await readPage(admin, "/config_dump?include_eds", io.signal);
    return { source, kinds: diffDumps(ours, parseDump(text, source)) };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { source, problem: error.message };
  }
}

async function readDumpFile(file: string, io: CommandIo): Promise<string> {
  if (file === "-") return io.stdin();
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CliError(
      `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function parseDump(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CliError(`${source} is no JSON: it has to be Envoy's /config_dump?include_eds`);
  }
}
