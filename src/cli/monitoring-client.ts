import { get } from "node:http";
import { nodeClock } from "../base/node-clock.ts";
import { homeOf, readServerFile } from "../local/server-file.ts";
import { CliError, type CommandIo } from "./command.ts";
import { noMesh } from "./kubeconfig.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const ANSWER_CHARACTERS_MAX = 64 * 1024 * 1024;

/** One connected proxy, as the control plane's `/debug/syncz` has it: istiod's fields and ours. */
export interface ProxySync {
  readonly cluster_id: string;
  /** `pod.namespace` */
  readonly proxy: string;
  readonly proxy_type: string;
  readonly istio_version: string;
  /** By `cds`, `lds`, `eds`, `rds`. */
  readonly status: Readonly<Record<string, string>>;
  readonly rejections: readonly {
    readonly type: string;
    readonly version: string;
    readonly at: string;
    readonly message: string;
    /** `Kind/namespace/name`. */
    readonly objects: readonly string[];
  }[];
}

/** The proxies that are connected to the mesh's control plane. */
export async function readProxies(
  flags: { readonly home: string | undefined },
  io: CommandIo,
): Promise<readonly ProxySync[]> {
  const home = homeOf(flags.home, io.env);
  const server = readServerFile(home);
  if (server === undefined) throw noMesh(home);
  const text = await getText(`http://${server.monitoringAddr}/debug/syncz`, io.signal);
  if (text === undefined) throw noMesh(home);
  return JSON.parse(text) as readonly ProxySync[];
}

/** The page's text, or `undefined` when nobody listens there any more. */
function getText(url: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_CHARACTERS_MAX) request.destroy(new Error("too long an answer"));
      });
      response.on("end", () => {
        timer.cancel();
        if (response.statusCode === 200) resolve(text);
        else reject(new CliError(`${url} answered ${response.statusCode}: ${text.slice(0, 200)}`));
      });
    });
    const timer = nodeClock.setTimer(ANSWER_TIMEOUT_MS, () => {
      request.destroy(new Error(`no answer in ${ANSWER_TIMEOUT_MS} ms`));
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      timer.cancel();
      if (error.code === "ECONNREFUSED") resolve(undefined);
      else reject(new CliError(`cannot ask the control plane at ${url}: ${error.message}`));
    });
  });
}
