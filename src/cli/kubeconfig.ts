import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { homeOf } from "../local/server-file.ts";
import { CliError } from "./command.ts";

/** How to reach an API and who asks. */
export interface ApiAccess {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** PEM of the authority that signed the server's certificate. */
  readonly ca?: string;
  readonly isInsecure: boolean;
  readonly token?: string;
  /** PEM of a client certificate and its key. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** Of the current context. */
  readonly namespace: string;
  /** The file that this was read from, for messages. */
  readonly source: string;
  /** The mesh's home, when the file is its own. */
  readonly home?: string;
}

/** The flags that say where the mesh is. */
export interface LocationFlags {
  readonly home: string | undefined;
  readonly kubeconfig: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the kubeconfig that the flags lead to; throws a `CliError` that says what is missing. */
export function readApiAccess(flags: LocationFlags, env: Env): ApiAccess {
  if (flags.kubeconfig !== undefined) {
    return parseKubeconfig(readText(flags.kubeconfig), flags.kubeconfig);
  }
  const home = homeOf(flags.home, env);
  const path = join(home, "kubeconfig");
  if (!existsSync(path)) throw noMesh(home);
  return { ...parseKubeconfig(readText(path), path), home };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError(`cannot read ${path}: ${reason(error)}`);
  }
}

/** What a command says when there is nothing to talk to. */
export function noMesh(home: string): CliError {
  return new CliError(`no mesh is running at ${home}; start one with "weft up"`);
}

/** The part of a kubeconfig that its current context names. */
export function parseKubeconfig(text: string, path: string): ApiAccess {
  let config: unknown;
  try {
    config = parse(text);
  } catch (error) {
    throw new CliError(`${path} is not YAML: ${reason(error)}`);
  }
  const name = textAt(config, "current-context");
  if (name === undefined) throw new CliError(`${path} has no current-context`);
  const context = namedEntry(config, "contexts", name, "context", path);
  const cluster = namedEntry(config, "clusters", textAt(context, "cluster"), "cluster", path);
  const user = namedEntry(config, "users", textAt(context, "user"), "user", path);
  const server = textAt(cluster, "server");
  if (server === undefined || !URL.canParse(server)) {
    throw new CliError(`${path}: the cluster of context "${name}" has no server URL`);
  }
  for (const field of ["exec", "auth-provider", "username", "tokenFile"]) {
    if (field in user) throw new CliError(`${path}: users[].user.${field} is not supported yet`);
  }
  const read = (holder: Entry, field: string): string | undefined => {
    const data = textAt(holder, `${field}-data`);
    if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
    const file = textAt(holder, field);
    return file === undefined ? undefined : readText(resolve(dirname(path), file));
  };
  const ca = read(cluster, "certificate-authority");
  const token = textAt(user, "token");
  const cert = read(user, "client-certificate");
  const key = read(user, "client-key");
  return {
    server: server.replace(/\/$/, ""),
    ...(ca === undefined ? {} : { ca }),
    isInsecure: cluster["insecure-skip-tls-verify"] === true,
    ...(token === undefined ? {} : { token }),
    ...(cert === undefined || key === undefined ? {} : { certificate: { cert, key } }),
    namespace: textAt(context, "namespace") ?? "default",
    source: path,
  };
}

type Entry = Readonly<Record<string, unknown>>;

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textAt(holder: unknown, field: string): string | undefined {
  const value = isEntry(holder) ? holder[field] : undefined;
  return typeof value === "string" && value !== "" ? value : undefined;
}

function namedEntry(
  config: unknown,
  list: string,
  name: string | undefined,
  field: string,
  path: string,
): Entry {
  const entries: unknown = isEntry(config) ? config[list] : undefined;
  const found: unknown = Array.isArray(entries)
    ? entries.find((entry) => isEntry(entry) && entry["name"] === name)
    : undefined;
  const value = isEntry(found) ? found[field] : undefined;
  if (!isEntry(value)) throw new CliError(`${path}: ${list} has no entry "${name ?? ""}"`);
  return value;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
