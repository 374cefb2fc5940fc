import type { IncomingMessage } from "node:http";
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { nodeClock } from "../base/node-clock.ts";
import { CliError } from "./command.ts";
import { type ApiAccess, noMesh } from "./kubeconfig.ts";

/** One call of the API. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute, already encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
}

/** What the API answered, with the texts of its `Warning` headers. */
export interface ApiAnswer {
  readonly body: unknown;
  readonly warnings: readonly string[];
}

/** One field that the API refused. */
export interface StatusCause {
  readonly field: string;
  readonly message: string;
}

/** The API's refusal: Kubernetes' `Status`. */
export class ApiError extends CliError {
  readonly status: number;
  /** `NotFound`, `Conflict`, `Invalid`, `AlreadyExists`, ...; "" when the answer was no `Status`. */
  readonly reason: string;
  readonly causes: readonly StatusCause[];

  constructor(status: number, reason: string, message: string, causes: readonly StatusCause[]) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.reason = reason;
    this.causes = causes;
  }
}

const ANSWER_TIMEOUT_MS = 30_000;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const LINE_CHARACTERS_MAX = 16 * 1024 * 1024;

/** Talks to the API that a kubeconfig names. Close it, or its connection keeps the process alive. */
export class ApiClient {
  readonly access: ApiAccess;
  readonly #agent: Agent | HttpAgent;
  readonly #send: typeof httpsRequest | typeof httpRequest;
  readonly #signal: AbortSignal;

  constructor(access: ApiAccess, signal: AbortSignal) {
    const isPlain = access.server.startsWith("http:");
    this.access = access;
    this.#agent = isPlain
      ? new HttpAgent({ keepAlive: true })
      : new Agent({
          keepAlive: true,
          rejectUnauthorized: !access.isInsecure,
          ...(access.ca === undefined ? {} : { ca: access.ca }),
          ...access.certificate,
        });
    this.#send = isPlain ? httpRequest : httpsRequest;
    this.#signal = signal;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Asks once; throws `ApiError` on a refusal and `CliError` when nobody answers. */
  async call(request: ApiRequest): Promise<ApiAnswer> {
    const response = await this.#open(request);
    const timer = nodeClock.setTimer(ANSWER_TIMEOUT_MS, () => response.destroy());
    const text = await readText(response)
      .catch((error: unknown) => Promise.reject(this.#unreachable(error)))
      .finally(() => timer.cancel());
    const body = parseJson(text);
    const status = response.statusCode ?? 0;
    if (status >= 400) throw refusal(status, body, text);
    return { body, warnings: readWarnings(response.headers["warning"]) };
  }

  /** The lines of an answer that goes on, such as a watch; see `text`. */
  async *lines(request: ApiRequest): AsyncGenerator<string> {
    let rest = "";
    for await (const chunk of this.text(request)) {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LINE_CHARACTERS_MAX) throw new CliError("the API sent a line without end");
      yield* lines;
    }
    if (rest !== "") yield rest;
  }

  /**
   * An answer as it comes, for as long as it goes on: a log that is followed. Ends when the
   * command's signal aborts or the server ends it.
   */
  async *text(request: ApiRequest): AsyncGenerator<string> {
    const response = await this.#open(request);
    const status = response.statusCode ?? 0;
    if (status >= 400) {
      const text = await readText(response);
      throw refusal(status, parseJson(text), text);
    }
    try {
      response.setEncoding("utf8");
      yield* response as AsyncIterable<string>;
    } catch (error) {
      if (!this.#signal.aborted) throw this.#unreachable(error);
    } finally {
      response.destroy();
    }
  }

  #open(request: ApiRequest): Promise<IncomingMessage> {
    const { token, server } = this.access;
    const url = new URL(`${server}${request.path}`);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      url.searchParams.set(name, value);
    }
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    return new Promise((resolve, reject) => {
      const sent = this.#send(url, {
        agent: this.#agent,
        method: request.method,
        signal: this.#signal,
        headers: {
          accept: request.accept ?? "application/json",
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined
            ? {}
            : {
                "content-type": request.contentType ?? "application/json",
                "content-length": Buffer.byteLength(body),
              }),
        },
      });
      // Only until the answer begins: a watch may be silent for as long as nothing happens.
      const timer = nodeClock.setTimer(ANSWER_TIMEOUT_MS, () => {
        sent.destroy(new Error(`no answer in ${ANSWER_TIMEOUT_MS} ms`));
      });
      sent.on("error", (error) => {
        timer.cancel();
        reject(this.#unreachable(error));
      });
      sent.on("response", (response) => {
        timer.cancel();
        resolve(response);
      });
      sent.end(body);
    });
  }

  #unreachable(error: unknown): CliError {
    if (error instanceof CliError) return error;
    if (this.#signal.aborted) return new CliError("interrupted");
    const { code, message } = error as NodeJS.ErrnoException;
    const { server, source, home } = this.access;
    if (code === "ECONNREFUSED" && home !== undefined) return noMesh(home);
    return new CliError(`cannot talk to ${server} (from ${source}): ${message}`);
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) {
      throw new CliError(`the API's answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface StatusBody {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { field?: string; message?: string }[] };
}

function refusal(status: number, body: unknown, text: string): ApiError {
  const { reason, message, details } = (body ?? {}) as StatusBody;
  const causes = (details?.causes ?? []).map((cause) => ({
    field: cause.field ?? "",
    message: cause.message ?? "",
  }));
  return new ApiError(
    status,
    reason ?? "",
    message ?? `the API answered ${status}: ${text.slice(0, 200)}`,
    causes,
  );
}

/** The texts of RFC 7234 warnings, `299 - "text"`; several may stand in one header. */
export function readWarnings(header: string | string[] | undefined): readonly string[] {
  const text = Array.isArray(header) ? header.join(", ") : (header ?? "");
  return [...text.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, quoted = ""]) =>
    quoted.replace(/\\(.)/g, "$1"),
  );
}
