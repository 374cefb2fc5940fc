import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type Secret as Message,
  SecretSchema,
} from "../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js";
import type { Clock, Timer } from "../../base/clock.ts";
import { formatIssue, type Issue } from "../../base/issue.ts";
import type { Logger } from "../../telemetry/log.ts";
import type { Rejection, ResourceUpdate } from "../../xdsclient/resource-type.ts";
import { NO_BODY, otherName } from "../apply-resources.ts";
import { checkRules } from "../check-rules.ts";
import { decodeSecret } from "../decode/secret.ts";
import { ContextError } from "../tls/secure-context.ts";
import type { GrpcSource, SecretRef, SecretSource } from "../tls/tls-config.ts";
import type { TlsMaterial } from "../tls/tls-material.ts";
import { FileWatch } from "./file-watch.ts";
import type { Secret } from "./secret.ts";
import { readSecretFile } from "./secret-file.ts";

/** Somebody who needs a secret. */
export interface SecretUser {
  readonly kind: Secret["kind"];
  /**
   * Tries a secret that came, or came anew, and changes nothing yet. Throws a `ContextError` when
   * it cannot be used; otherwise returns what puts it to use.
   */
  prepare(secret: Secret): () => void;
  /** Nobody brought it in time: go on without. */
  onTimeout(): void;
}

/** A use of a secret; to be closed. */
export interface SecretUse {
  close(): void;
}

/** What a store needs from outside. */
export interface SecretStoreDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly statics: ReadonlyMap<string, Secret>;
  /** The names to ask for over ADS, or one of the other clusters, are different now. */
  readonly onNames: () => void;
  /** A secret came, or will not come soon: what waits for it may be ready. */
  readonly onProgress: () => void;
}

/**
 * The secrets of a proxy: each is asked for once, whoever uses it. One that is wrong is refused
 * and the last good one stays in use.
 */
export class SecretStore {
  readonly #deps: SecretStoreDeps;
  readonly #entries = new Map<string, Entry>();
  /** What contexts in use are made of, whether by secrets or not; for the admin port. */
  readonly materials = new Set<TlsMaterial>();
  #isClosed = false;

  constructor(deps: SecretStoreDeps) {
    this.#deps = deps;
  }

  /** Begins to use a secret. One that is there already is used before this returns. */
  use(ref: SecretRef, user: SecretUser): SecretUse {
    if (ref.source.kind === "static") {
      const secret = this.#deps.statics.get(ref.name);
      if (secret !== undefined) user.prepare(secret)();
      return { close: () => undefined };
    }
    const key = keyOf(ref);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = new Entry(ref, this.#deps);
      this.#entries.set(key, entry);
    }
    const found = entry;
    found.add(user);
    this.#deps.onNames();
    return {
      close: () => {
        found.remove(user);
        if (!found.isUsed && this.#entries.get(key) === found) this.#drop(key, found);
      },
    };
  }

  #drop(key: string, entry: Entry): void {
    entry.close();
    this.#entries.delete(key);
    if (!this.#isClosed) this.#deps.onNames();
  }

  /** The names to ask for over a stream: that of ADS, or one of `streams`. */
  names(stream: string): ReadonlySet<string> {
    return new Set(this.#of(stream).map(({ ref }) => ref.name));
  }

  /** The streams of their own that secrets are asked for over, by what tells them apart. */
  streams(): ReadonlyMap<string, GrpcSource> {
    const streams = new Map<string, GrpcSource>();
    for (const { ref } of this.#entries.values()) {
      if (ref.source.kind === "grpc") streams.set(streamOf(ref.source), ref.source);
    }
    return streams;
  }

  #of(stream: string): Entry[] {
    return [...this.#entries.values()].filter(({ ref }) => streamOf(ref.source) === stream);
  }

  /** Takes a response of a control plane. One that is gone stays in use: there is no other. */
  apply(stream: string, { resources }: ResourceUpdate): Rejection[] {
    const rejections: Rejection[] = [];
    const entries = this.#of(stream);
    for (const { name, body } of resources) {
      const message = body === undefined ? NO_BODY : parse(SecretSchema, body);
      if (typeof message === "string") {
        rejections.push({ name, reason: message });
        continue;
      }
      if (name !== "" && name !== message.name) {
        rejections.push({ name, reason: otherName(name, message.name) });
        continue;
      }
      const entry = entries.find(({ ref }) => ref.name === message.name);
      const reason = entry?.take(message);
      if (reason !== undefined) rejections.push({ name: message.name, reason });
    }
    return rejections;
  }

  /** Every secret in use that came at run time, for the admin port. */
  get current(): readonly Secret[] {
    return [...this.#entries.values()].flatMap(({ secret }) => secret ?? []);
  }

  close(): void {
    this.#isClosed = true;
    for (const [key, entry] of this.#entries) this.#drop(key, entry);
  }
}

/** The stream of ADS. */
export const ADS_STREAM = "ads";

/** Tells streams apart; what comes by none has none. */
function streamOf(source: SecretSource): string {
  if (source.kind === "ads") return ADS_STREAM;
  return source.kind === "grpc" ? JSON.stringify(source) : "";
}

function keyOf({ name, source }: SecretRef): string {
  return JSON.stringify([name, source]);
}

function parse<Desc extends DescMessage>(
  schema: Desc,
  body: Uint8Array,
): MessageShape<Desc> | string {
  try {
    return fromBinary(schema, body);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return `cannot decode ${schema.typeName}: ${cause}`;
  }
}

/** One secret with all who use it. */
class Entry {
  readonly ref: SecretRef;
  secret: Secret | undefined = undefined;
  readonly #deps: SecretStoreDeps;
  readonly #users = new Set<SecretUser>();
  /** What was taken last, to be read again when its files change. */
  #message: Message | undefined = undefined;
  #files: FileWatch | undefined = undefined;
  /** Of the file that holds the secret itself. */
  readonly #source: FileWatch | undefined;
  readonly #timer: Timer | undefined;
  #isLate = false;

  constructor(ref: SecretRef, deps: SecretStoreDeps) {
    this.ref = ref;
    this.#deps = deps;
    if (ref.initialFetchMs > 0) {
      this.#timer = deps.clock.setTimer(ref.initialFetchMs, () => this.#giveUpWaiting());
    }
    const { source } = ref;
    if (source.kind === "file") {
      this.#source = new FileWatch([source.path], source.watchedDirectory, deps.clock, () =>
        this.#readSource(source.path),
      );
      this.#readSource(source.path);
    }
  }

  get isUsed(): boolean {
    return this.#users.size > 0;
  }

  add(user: SecretUser): void {
    this.#users.add(user);
    if (this.secret !== undefined) this.#prepare(user, this.secret)();
    else if (this.#isLate) user.onTimeout();
  }

  remove(user: SecretUser): void {
    this.#users.delete(user);
  }

  #giveUpWaiting(): void {
    if (this.secret !== undefined) return;
    this.#isLate = true;
    const { name } = this.ref;
    this.#deps.log.warn("secret did not come in time", { name });
    for (const user of this.#users) user.onTimeout();
    this.#deps.onProgress();
  }

  #readSource(path: string): void {
    const found = readSecretFile(path, this.ref.name);
    const reason = typeof found === "string" ? found : this.take(found);
    this.#source?.setFailed(reason !== undefined);
    if (reason !== undefined) this.#refused(reason);
  }

  #refused(reason: string): void {
    const { name } = this.ref;
    this.#deps.log.warn("secret refused, the last good one stays in use", { name, reason });
  }

  /** Takes a secret: puts it to use everywhere, or nowhere and says why. */
  take(message: Message): string | undefined {
    const reason = this.#take(message);
    // The last good one's files stay watched when another is refused.
    if (reason === undefined) this.#message = message;
    return reason;
  }

  #take(message: Message): string | undefined {
    const issues: Issue[] = checkRules(SecretSchema, message, "");
    const secret = issues.length > 0 ? undefined : decodeSecret(message, issues);
    if (secret === undefined) return issues.map(formatIssue).join(", ");
    let commits: (() => void)[];
    try {
      commits = [...this.#users].map((user) => this.#prepare(user, secret));
    } catch (error) {
      if (!(error instanceof ContextError)) throw error;
      return error.message;
    }
    this.secret = secret;
    this.#timer?.cancel();
    for (const commit of commits) commit();
    this.#watch(secret);
    this.#deps.onProgress();
    return undefined;
  }

  #prepare(user: SecretUser, secret: Secret): () => void {
    if (user.kind === secret.kind) return user.prepare(secret);
    throw new ContextError(`secret ${secret.name} is no ${user.kind}`);
  }

  #watch({ files, watchedDirectory }: Secret): void {
    if (this.#files?.covers(files, watchedDirectory) === true) return;
    this.#files?.close();
    this.#files =
      files.length === 0
        ? undefined
        : new FileWatch(files, watchedDirectory, this.#deps.clock, () => this.#readAgain());
  }

  #readAgain(): void {
    if (this.#message === undefined) return;
    const reason = this.#take(this.#message);
    this.#files?.setFailed(reason !== undefined);
    if (reason !== undefined) this.#refused(reason);
  }

  close(): void {
    this.#timer?.cancel();
    this.#files?.close();
    this.#source?.close();
  }
}
