import { readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import type { Clock } from "../base/clock.ts";

/** Credentials that expire say so themselves; others are asked for again after this time. */
const CREDENTIALS_MS = 30_000;

/** A program that gives credentials has this long. */
const CREDENTIALS_WAIT_MS = 60_000;

/** Where a Pod finds who it is; Kubernetes puts it there. */
const IN_CLUSTER_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** What a request to the API server carries: certificates, headers, and an agent where there is a proxy. */
export type KubernetesCredentials = Pick<
  RequestOptions,
  "ca" | "cert" | "key" | "passphrase" | "rejectUnauthorized" | "servername" | "auth" | "agent"
> & { readonly headers: Readonly<Record<string, string>> };

/** Which API server to talk to, and as whom. */
export interface KubernetesAccess {
  readonly server: URL;
  /** The same server and context as a text, for messages and for names of files. */
  readonly name: string;
  /**
   * Who to be for the next request; what has expired is got anew. Rejects when a file cannot be
   * read or a program that gives credentials fails.
   */
  authorize(): Promise<KubernetesCredentials>;
  /** They were not accepted: the next request gets others. */
  forget(): void;
}

/** Which kubeconfig, and which context of it when not its current one. */
export interface KubeconfigChoice {
  readonly file: string;
  readonly context?: string;
}

/**
 * Reads a kubeconfig as kubectl does: certificates, tokens, files of tokens, `exec` programs and
 * OpenID Connect. Throws with the file and what is wrong with it.
 */
export function loadKubeconfig(
  { file, context }: KubeconfigChoice,
  clock: Clock,
): KubernetesAccess {
  const config = new KubeConfig();
  try {
    // Not `loadFromFile`, which says nothing of a file that is empty.
    const text = readFileSync(file, "utf8");
    if (text.trim() === "") throw new Error("the file is empty");
    config.loadFromFile(file);
  } catch (error) {
    throw new Error(`kubeconfig "${file}" cannot be used: ${reasonOf(error)}`);
  }
  const names = config.getContexts().map(({ name }) => name);
  const wanted = context ?? config.getCurrentContext();
  if (!names.includes(wanted)) {
    const chosen = wanted ? `has no context "${wanted}"` : "has no current context";
    throw new Error(
      `kubeconfig "${file}" ${chosen}: choose one with --context (${names.join(", ") || "it has none"})`,
    );
  }
  config.setCurrentContext(wanted);
  return createAccess(config, `context "${wanted}" of kubeconfig "${file}"`, clock);
}

/** Whether this process runs in a Pod that has an account. */
export function isInCluster(env: Readonly<Record<string, string | undefined>>): boolean {
  if (env["KUBERNETES_SERVICE_HOST"] === undefined) return false;
  try {
    return readFileSync(IN_CLUSTER_TOKEN).length > 0;
  } catch {
    return false;
  }
}

/** The access of a Pod's service account, whose token is read again as Kubernetes renews it. */
export function loadInCluster(clock: Clock): KubernetesAccess {
  const config = new KubeConfig();
  config.loadFromCluster();
  return createAccess(config, "the service account of this pod", clock);
}

function createAccess(config: KubeConfig, from: string, clock: Clock): KubernetesAccess {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`${from} names no cluster that is there`);
  if (config.getCurrentUser() === null) throw new Error(`${from} names no user that is there`);
  if (!URL.canParse(cluster.server)) {
    throw new Error(`${from}: the server "${cluster.server}" is no URL`);
  }
  const server = new URL(cluster.server);
  return new Access(config, server, `${server.origin} (${from})`, clock);
}

class Access implements KubernetesAccess {
  readonly server: URL;
  readonly name: string;
  readonly #config: KubeConfig;
  readonly #clock: Clock;
  #kept: { readonly credentials: KubernetesCredentials; readonly untilMs: number } | undefined;
  /** Requests that start together share one question: it may start a program. */
  #asking: Promise<KubernetesCredentials> | undefined;

  constructor(config: KubeConfig, server: URL, name: string, clock: Clock) {
    this.#config = config;
    this.server = server;
    this.name = name;
    this.#clock = clock;
  }

  authorize(): Promise<KubernetesCredentials> {
    const kept = this.#kept;
    if (kept !== undefined && this.#clock.monotonicMs() < kept.untilMs) {
      return Promise.resolve(kept.credentials);
    }
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  forget(): void {
    this.#kept = undefined;
  }

  async #ask(): Promise<KubernetesCredentials> {
    const options: RequestOptions & { headers: Record<string, string> } = { headers: {} };
    await this.#bounded(this.#config.applyToHTTPSOptions(options));
    const { ca, cert, key, passphrase, rejectUnauthorized, servername, auth, headers } = options;
    // One agent for all requests holds connections open; only a proxy needs one of its own.
    const hasProxy = this.#config.getCurrentCluster()?.proxyUrl !== undefined;
    const credentials = {
      ...defined({ ca, cert, key, passphrase, rejectUnauthorized, servername, auth }),
      ...(hasProxy && options.agent !== undefined && { agent: options.agent }),
      headers,
    } as KubernetesCredentials;
    this.#kept = { credentials, untilMs: this.#clock.monotonicMs() + CREDENTIALS_MS };
    return credentials;
  }

  async #bounded(work: Promise<void>): Promise<void> {
    let timer: { cancel(): void } | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = this.#clock.setTimer(CREDENTIALS_WAIT_MS, () =>
        reject(
          new Error(`no credentials within ${CREDENTIALS_WAIT_MS / 1000} s from ${this.name}`),
        ),
      );
    });
    try {
      await Promise.race([work, late]);
    } finally {
      timer?.cancel();
    }
  }
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  ) as Partial<T>;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
