import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApiHooks } from "../../src/apiserver/api-hooks.ts";
import { ApiServer } from "../../src/apiserver/api-server.ts";
import { buildKubeconfig } from "../../src/apiserver/kubeconfig.ts";
import { nodeClock } from "../../src/base/node-clock.ts";
import { createServingCertificate } from "../../src/identity/serving-certificate.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { findProgram } from "../programs.ts";

/** Whether there is a kubectl to test with; without one those cases are skipped. */
export const hasKubectl = findProgram("kubectl") !== undefined;

/** What a program or a request gave. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What an HTTPS request gave. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** An API server on a free port, with ways to ask it. */
export interface Fixture {
  readonly storage: Storage;
  readonly server: ApiServer;
  readonly port: number;
  /** The path of a kubeconfig. */
  readonly kubeconfig: string;
  readonly kubectl: (args: readonly string[], input?: string) => Promise<Outcome>;
  /** Runs until the output satisfies; then it is killed. */
  readonly kubectlUntil: (
    args: readonly string[],
    isEnough: (out: string) => boolean,
    onOutput?: (out: string) => void,
  ) => Promise<string>;
  readonly ask: (method: string, path: string, options?: AskOptions) => Promise<Answer>;
  readonly close: () => Promise<void>;
}

/** What a request carries beside its path. */
export interface AskOptions {
  readonly body?: string | object;
  readonly headers?: Readonly<Record<string, string>>;
  /** None at all when it is empty. */
  readonly token?: string;
}

const TOKEN = "the-token";
const WAIT_MS = 15_000;

/** Starts a server over a new storage. */
export async function createFixture(hooks: ApiHooks = {}): Promise<Fixture> {
  const tls = await createServingCertificate({ clock: nodeClock, hosts: ["127.0.0.1"] });
  const storage = new MemoryStorage({ clock: nodeClock });
  const server = new ApiServer({
    storage,
    clock: nodeClock,
    log: silentLogger,
    tls,
    token: TOKEN,
    version: "0.0.0-test",
    hooks,
  });
  const { host, port } = await server.start();
  const home = mkdtempSync(join(tmpdir(), "weft-api-"));
  const kubeconfig = join(home, "kubeconfig");
  const { caCertificate } = tls;
  writeFileSync(kubeconfig, buildKubeconfig({ host, port, caCertificate, token: TOKEN }));
  const options = { env: { ...process.env, KUBECONFIG: kubeconfig, HOME: home } };

  const kubectl: Fixture["kubectl"] = (args, input = "") =>
    new Promise((resolve) => {
      const child = execFile("kubectl", args, { ...options, timeout: WAIT_MS }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
      );
      child.stdin?.end(input);
    });

  const kubectlUntil: Fixture["kubectlUntil"] = async (args, isEnough, onOutput) => {
    const child = spawn("kubectl", args, { ...options, stdio: ["ignore", "pipe", "inherit"] });
    const timer = nodeClock.setTimer(WAIT_MS, () => child.kill("SIGKILL"));
    let out = "";
    for await (const chunk of child.stdout) {
      out += String(chunk);
      onOutput?.(out);
      if (isEnough(out)) break;
    }
    timer.cancel();
    child.kill("SIGKILL");
    return out;
  };

  const ask = createAsk(host, port, caCertificate);
  const close = async (): Promise<void> => {
    await server.stop();
    await storage.close();
    rmSync(home, { recursive: true, force: true });
  };
  return { storage, server, port, kubeconfig, kubectl, kubectlUntil, ask, close };
}

function createAsk(host: string, port: number, caCertificate: string): Fixture["ask"] {
  return (method, path, { body, headers = {}, token = TOKEN } = {}) =>
    new Promise((resolve, reject) => {
      const text = typeof body === "object" ? JSON.stringify(body) : (body ?? "");
      const outgoing = request(
        {
          host,
          port,
          method,
          path,
          ca: caCertificate,
          agent: false,
          headers: {
            ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
            // Node does not say how long the body of a DELETE is.
            "content-length": Buffer.byteLength(text),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => {
            const said = Buffer.concat(chunks).toString("utf8");
            const status = response.statusCode ?? 0;
            resolve({ status, headers: response.headers, text: said, body: tryParse(said) });
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(text);
    });
}

function tryParse(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
