import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/**
 * What a running mesh says about itself in `<home>/server.json`, for the commands that ask more
 * than the API: written with mode 0600 once everything listens, removed when the server ends.
 */
export interface ServerFile {
  readonly pid: number;
  /** Of weft. */
  readonly version: string;
  /** `https://127.0.0.1:6443` */
  readonly apiUrl: string;
  /** The control plane's readiness, metrics and debug pages, `host:port`. */
  readonly monitoringAddr: string;
  /** Discovery, plain gRPC, `host:port`. */
  readonly xdsAddr: string;
  /** The ingress gateway's host port, `http://127.0.0.1:8080`. */
  readonly gatewayUrl: string;
  readonly kubeconfig: string;
  readonly proxy: "weft" | "envoy";
  /** The network of the pods. */
  readonly podCidr: string;
  /** RFC 3339. */
  readonly startedAt: string;
}

/** Writes the file of a home for its owner only. */
export function writeServerFile(home: string, file: ServerFile): void {
  writeFileSync(serverFilePath(home), `${JSON.stringify(file, undefined, 2)}\n`, { mode: 0o600 });
}

/** Removes the file of a home. */
export function removeServerFile(home: string): void {
  rmSync(serverFilePath(home), { force: true });
}

/** The folder that holds the state of a mesh: what was asked for, `WEFT_HOME`, or `~/.weft`. */
export function homeOf(
  asked: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const home = asked ?? env["WEFT_HOME"];
  return home === undefined || home === "" ? join(homedir(), ".weft") : resolve(home);
}

/** Where a home keeps the file. */
export function serverFilePath(home: string): string {
  return join(home, "server.json");
}

/** Reads the file of a home; `undefined` when there is none, or not a whole one. */
export function readServerFile(home: string): ServerFile | undefined {
  let file: unknown;
  try {
    file = JSON.parse(readFileSync(serverFilePath(home), "utf8"));
  } catch {
    return undefined;
  }
  return isServerFile(file) ? file : undefined;
}

function isServerFile(value: unknown): value is ServerFile {
  if (typeof value !== "object" || value === null) return false;
  const file = value as Partial<Record<keyof ServerFile, unknown>>;
  const texts = [file.version, file.apiUrl, file.monitoringAddr, file.xdsAddr, file.kubeconfig];
  return Number.isInteger(file.pid) && texts.every((text) => typeof text === "string");
}
