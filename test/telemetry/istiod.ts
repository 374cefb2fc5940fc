import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { until } from "../controlplane/until.ts";

/** Only what it does without a cluster. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  ENABLE_CA_SERVER: "false",
  INJECT_ENABLED: "false",
  INJECTION_WEBHOOK_CONFIG_NAME: "",
  VALIDATION_WEBHOOK_CONFIG_NAME: "",
  XDS_AUTH: "false",
  POD_NAMESPACE: "istio-system",
};

const START_MS_MAX = 120_000;

/** Istio's own control plane, with its objects in a folder that goes with it. */
export class Istiod {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ChildProcess;
  #words = "";

  private constructor(program: string, folder: string, [port, monitoring]: readonly number[]) {
    this.port = port ?? 0;
    this.#folder = folder;
    const args = [`--meshConfig=${join(folder, "mesh.yaml")}`, `--grpcAddr=127.0.0.1:${port}`];
    this.#process = spawn(program, [...args, `--httpAddr=127.0.0.1:${monitoring}`], {
      cwd: folder,
      env: { ...process.env, ...ENVIRONMENT },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process.stderr?.on("data", (chunk: Buffer) => {
      this.#words = `${this.#words}${chunk.toString()}`.slice(-4096);
    });
  }

  /** Resolves when it has read the objects and serves. */
  static async start(program: string, mesh: object, objects: readonly object[]): Promise<Istiod> {
    const folder = mkdtempSync(join(tmpdir(), "weft-istiod-"));
    mkdirSync(join(folder, "objects"));
    const configSources = [{ address: `fs://${join(folder, "objects")}` }];
    writeFileSync(join(folder, "mesh.yaml"), stringify({ ...mesh, configSources }));
    const text = objects.map((one) => stringify(one)).join("---\n");
    writeFileSync(join(folder, "objects", "all.yaml"), text);
    const ports = [await freePort(), await freePort()];
    const istiod = new Istiod(program, folder, ports);
    try {
      await until(() => istiod.#isReady(ports[1] ?? 0), "istiod", START_MS_MAX);
      return istiod;
    } catch (error) {
      await istiod.stop();
      throw new Error(`istiod did not start: ${istiod.#words.trim()}`, { cause: error });
    }
  }

  async #isReady(port: number): Promise<boolean> {
    const { exitCode } = this.#process;
    if (exitCode !== null) throw new Error(`it ended with ${exitCode}`);
    const response = await fetch(`http://127.0.0.1:${port}/ready`).catch(() => undefined);
    await response?.arrayBuffer();
    return response?.ok === true;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const closed = once(server, "close");
  server.close();
  await closed;
  return typeof address === "object" && address !== null ? address.port : 0;
}
