import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram } from "../../test/programs.ts";
import { Measured, residentMiB } from "../measured.ts";
import { freePorts, waitFor } from "../ports.ts";
import {
  baseFiles,
  FOLDERS,
  firstFiles,
  type ObjectFile,
  type ServiceForm,
} from "./mesh-objects.ts";

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const WEFT = join(repository, "bin", "weft");

/** What `bin/weft` has in its first line, and the profile; its folder follows. */
const PROFILE_FLAGS = ["--max-semi-space-size=4", "--cpu-prof", "--cpu-prof-dir"];

/** The control planes that are measured. */
export const SERVER_NAMES = ["weft", "istiod"] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

/**
 * What a program waits between a file's change and reading it, in ms, which has nothing to do with
 * its discovery: istiod's folder watch always sleeps so long (its `pkg/kube/krt/files`), and it is
 * taken off its times. weft's own wait, a tenth of that, is not.
 */
export const WATCH_MS: Readonly<Record<ServerName, number>> = { weft: 0, istiod: 250 };

/** What a server is started with. */
export interface ServerOptions {
  readonly name: ServerName;
  readonly services: number;
  readonly form: ServiceForm;
  /** Where its files go, in a folder of their own. */
  readonly folder: string;
  /** Where weft's CPU profile goes when it ends; absent: none is taken. */
  readonly profiles?: string;
}

/** A control plane that reads its objects from files and serves discovery. */
export class Server {
  readonly name: ServerName;
  readonly port: number;
  readonly #process: Measured;
  readonly #folder: string;

  private constructor(name: ServerName, port: number, process: Measured, folder: string) {
    this.name = name;
    this.port = port;
    this.#process = process;
    this.#folder = folder;
  }

  /** Whether the program is on this machine. */
  static isHere(name: ServerName): boolean {
    return name === "weft" || findProgram("istiod") !== undefined;
  }

  /** Writes the objects and starts the program; resolves when it has read them and serves. */
  static async start(options: ServerOptions): Promise<Server> {
    const { name, services, form, folder, profiles } = options;
    const own = mkdtempSync(join(folder, `${name}-`));
    for (const each of FOLDERS) mkdirSync(join(own, "objects", each), { recursive: true });
    for (const file of [...baseFiles(services, form), ...firstFiles(form)]) replaceFile(own, file);
    const [port = 0, monitoring = 0] = await freePorts(2);
    const process =
      name === "weft"
        ? startWeft(own, [port, monitoring], profiles)
        : startIstiod(own, port, monitoring);
    const server = new Server(name, port, process, own);
    try {
      await waitFor(name, [process], () => isReady(monitoring));
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** Puts a whole file in another's place, in one step. */
  write(file: ObjectFile): void {
    replaceFile(this.#folder, file);
  }

  /** CPU time so far. */
  cpuMicros(): number {
    return this.#process.cpuMicros();
  }

  residentMiB(): number {
    return residentMiB(this.#process.pid);
  }

  /** The most that was ever resident. */
  peakMiB(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function replaceFile(folder: string, { name, text }: ObjectFile): void {
  const path = join(folder, "objects", name);
  // Beside the folder that is watched, so that only the rename is seen.
  const next = join(folder, "next");
  writeFileSync(next, text);
  renameSync(next, path);
}

function startWeft(
  folder: string,
  [port, monitoring]: readonly [number, number],
  profiles: string | undefined,
): Measured {
  const args = ["pilot", "--config-dir", join(folder, "objects"), "--home", join(folder, "home")];
  const addrs = ["--grpc-addr", `127.0.0.1:${port}`, "--http-addr", `127.0.0.1:${monitoring}`];
  const [command, flags] =
    profiles === undefined ? [WEFT, []] : [process.execPath, [...PROFILE_FLAGS, profiles, WEFT]];
  return new Measured("weft", undefined, command, [...flags, ...args, ...addrs]);
}

function startIstiod(folder: string, port: number, monitoring: number): Measured {
  const program = findProgram("istiod");
  if (program === undefined) throw new Error("istiod is not here; `npm run istiod` builds it");
  const mesh = join(folder, "mesh.yaml");
  const sources = FOLDERS.map((each) => `- address: fs://${join(folder, "objects", each)}\n`);
  writeFileSync(mesh, `rootNamespace: istio-system\nconfigSources:\n${sources.join("")}`);
  return new Measured(
    "istiod",
    undefined,
    program,
    [`--meshConfig=${mesh}`, `--grpcAddr=127.0.0.1:${port}`, `--httpAddr=127.0.0.1:${monitoring}`],
    { cwd: folder, env: ISTIOD_ENV },
  );
}

/** Only what it does without a cluster; everything that decides how it pushes is as shipped. */
const ISTIOD_ENV: Readonly<Record<string, string>> = {
  ENABLE_CA_SERVER: "false",
  INJECT_ENABLED: "false",
  INJECTION_WEBHOOK_CONFIG_NAME: "",
  VALIDATION_WEBHOOK_CONFIG_NAME: "",
  XDS_AUTH: "false",
  POD_NAMESPACE: "istio-system",
};

async function isReady(monitoring: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${monitoring}/ready`);
  await response.arrayBuffer();
  return response.ok;
}
