import { execFile, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { until } from "../controlplane/until.ts";
import { KUBERNETES_BIN } from "../programs.ts";
import { meshCrds } from "./mesh-crds.ts";

const COMMAND_MS_MAX = 60_000;
/** The first time it is built. */
const START_MS_MAX = 900_000;
const READY_MS_MAX = 60_000;

/** For the hook that starts one: what is on the machine decides how long that takes. */
export const START_HOOK = START_MS_MAX + READY_MS_MAX;

/** A real Kubernetes API with its controllers, on loopback; there are no nodes. Its owner stops it. */
export class KubeCluster {
  readonly folder: string;
  readonly port: number;
  readonly #down: string;

  private constructor(folder: string, port: number, down: string) {
    this.folder = folder;
    this.port = port;
    this.#down = down;
  }

  /** Starts one by its script, and waits until it is ready. */
  static async start(script: string): Promise<KubeCluster> {
    const folder = mkdtempSync(join(tmpdir(), "weft-kubernetes-"));
    mkdirSync(KUBERNETES_BIN, { recursive: true });
    symlinkSync(KUBERNETES_BIN, join(folder, "bin"));
    const port = await freePorts();
    const cluster = new KubeCluster(folder, port, join(dirname(script), "down.sh"));
    try {
      await execute("bash", [script, folder, String(port)], { timeoutMs: START_MS_MAX });
      // Objects in it are made by a controller that has just started.
      await until(
        async () => (await cluster.try("get", "serviceaccount", "default")) !== undefined,
        "the first service account",
        READY_MS_MAX,
      );
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get kubeconfig(): string {
    return join(this.folder, "kubeconfig");
  }

  /** What kubectl prints; rejects with what it says when it fails. */
  kubectl(...args: string[]): Promise<string> {
    return this.#kubectl(args);
  }

  /** The same, `undefined` when it fails. */
  async try(...args: string[]): Promise<string | undefined> {
    return this.#kubectl(args).catch(() => undefined);
  }

  /** Makes Istio's kinds known; resolves when objects of them can be written. */
  async installMesh(): Promise<void> {
    await this.apply(meshCrds());
    await this.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s");
    const written = (): Promise<boolean> =>
      this.kubectl("get", "vs,dr,se,pa", "-A").then(
        () => true,
        () => false,
      );
    await until(written, "Istio's kinds", READY_MS_MAX);
  }

  /** `kubectl apply` of YAML, on the server's side: large objects have no room for a copy. */
  async apply(yaml: string): Promise<void> {
    await this.#kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], yaml);
  }

  /** A kubeconfig like this one's for somebody else's token. */
  async kubeconfigFor(namespace: string, account: string): Promise<string> {
    const token = (await this.kubectl("create", "token", account, "-n", namespace)).trim();
    const own = readFileSync(join(this.folder, "token"), "utf8").trim();
    const path = join(this.folder, `kubeconfig-${account}`);
    writeFileSync(path, readFileSync(this.kubeconfig, "utf8").replace(own, token), { mode: 0o600 });
    return path;
  }

  /** Ends the API server alone as a crash would; `revive` starts it again in the same way. */
  async killApiServer(): Promise<{ revive: () => Promise<void> }> {
    const pidFile = join(this.folder, "log", "kube-apiserver.pid");
    const pid = Number(readFileSync(pidFile, "utf8"));
    const [program = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .slice(0, -1);
    process.kill(pid, "SIGKILL");
    await until(() => !isAlive(pid), "the API server to end");
    const revive = async (): Promise<void> => {
      const child = spawn(program, args, { cwd: this.folder, stdio: "ignore", detached: true });
      writeFileSync(pidFile, String(child.pid));
      child.unref();
      await until(
        async () => (await this.try("get", "--raw", "/readyz")) === "ok",
        "the API server to be ready",
        READY_MS_MAX,
      );
    };
    return { revive };
  }

  /** Forgets all old versions of objects: watches from there have to begin anew. */
  async compact(): Promise<void> {
    const etcd = `http://127.0.0.1:${this.port + 1}/v3/kv`;
    const ask = async (path: string, body: object): Promise<unknown> =>
      (await fetch(`${etcd}/${path}`, { method: "POST", body: JSON.stringify(body) })).json();
    const found = (await ask("range", { key: "AA==" })) as { header: { revision: string } };
    await ask("compaction", { revision: found.header.revision, physical: true });
  }

  async stop(): Promise<void> {
    const pids = ["kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"].flatMap(
      (name) => {
        const file = join(this.folder, "log", `${name}.pid`);
        return existsSync(file) ? [Number(readFileSync(file, "utf8"))] : [];
      },
    );
    await execute("bash", [this.#down, this.folder], {});
    for (const pid of pids) {
      await until(() => !isAlive(pid), `process ${pid} to end`, 5_000).catch(() =>
        process.kill(pid, "SIGKILL"),
      );
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #kubectl(args: readonly string[], input?: string): Promise<string> {
    return execute("kubectl", ["--kubeconfig", this.kubeconfig, ...args], {
      ...(input !== undefined && { input }),
      // Its cache of what the server knows is older than what is installed here.
      env: { ...process.env, KUBECACHEDIR: join(this.folder, "cache") },
    });
  }
}

interface ExecuteOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

function execute(
  program: string,
  args: readonly string[],
  { input, timeoutMs = COMMAND_MS_MAX, env }: ExecuteOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, ...(env && { env }) };
    const child = execFile(program, args, options, (error, out, err) => {
      if (error === null) resolve(out);
      else
        reject(new Error(`${program} ${args.slice(2).join(" ")}: ${err.trim() || error.message}`));
    });
    child.stdin?.end(input ?? "");
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The first of three ports in a row that are free. */
async function freePorts(): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const first = await tryPort(0);
    if (first === undefined) continue;
    const others = [await tryPort(first + 1), await tryPort(first + 2)];
    if (others.every((port) => port !== undefined)) return first;
  }
  throw new Error("no three free ports in a row");
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" ? address?.port : undefined));
    });
  });
}
