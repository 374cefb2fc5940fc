import type { IncomingMessage, ServerResponse } from "node:http";
import type { Issue } from "../../base/issue.ts";
import { formatIssue } from "../../base/issue.ts";
import { parseYaml } from "../../config/yaml.ts";
import { decodeProtobuf, PROTOBUF } from "./protobuf.ts";
import { ApiError } from "./status.ts";

/** As many bytes as Kubernetes takes in one body. */
export const BODY_BYTES_MAX = 3 * 1024 * 1024;
/** Deeper nesting is no configuration; code that walks a body may then call itself. */
const DEPTH_MAX = 100;
/** All warnings of one response together; the rest is left out. */
const WARNINGS_LENGTH_MAX = 4096;

/** One request and the response to it. */
export class Exchange {
  readonly method: string;
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly accept: string;
  /** Without parameters, lower case. */
  readonly contentType: string;
  readonly response: ServerResponse;
  readonly #request: IncomingMessage;
  readonly #warnings = new Set<string>();

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.response = response;
    this.method = request.method ?? "GET";
    this.accept = request.headers.accept ?? "";
    this.contentType =
      (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
    const { path, query } = splitTarget(request.url ?? "/");
    this.segments = path;
    this.query = query;
  }

  /** A flag of the query: there and not "false" or "0". */
  flag(name: string): boolean {
    const value = this.query.get(name);
    return value !== null && value !== "false" && value !== "0";
  }

  /** A whole number of the query, 0 or more. */
  count(name: string): number | undefined {
    const value = this.query.get(name);
    if (value === null || value === "") return undefined;
    if (/^\d{1,15}$/.test(value)) return Number(value);
    throw new ApiError("BadRequest", `query parameter ${name} must be a number: got "${value}"`);
  }

  /** Warnings go out with whatever is answered. */
  warn(issues: readonly Issue[]): void {
    for (const issue of issues) this.#warnings.add(formatIssue(issue));
  }

  /** The body as JSON; `undefined` when there is none. */
  async body(): Promise<unknown> {
    const bytes = await this.#read();
    if (bytes.length === 0) return undefined;
    if (this.contentType === PROTOBUF) return decodeProtobuf(bytes);
    const text = decodeUtf8(bytes);
    if (this.contentType.endsWith("yaml")) return parseYamlBody(text);
    const isJson = this.contentType === "" || this.contentType.endsWith("json");
    if (!isJson) {
      const message = `content type "${this.contentType}" is not supported, send application/json`;
      throw new ApiError("UnsupportedMediaType", message);
    }
    return parseJson(text);
  }

  sendJson(code: number, body: object, contentType = "application/json"): void {
    const text = `${JSON.stringify(body)}\n`;
    this.start(code, contentType, { "content-length": String(Buffer.byteLength(text)) });
    this.response.end(this.method === "HEAD" ? undefined : text);
  }

  /** Sends the head; the body follows by `response.write`. */
  start(code: number, contentType: string, headers: Readonly<Record<string, string>> = {}): void {
    const warnings = this.#warningHeaders();
    if (warnings.length > 0) this.response.setHeader("warning", warnings);
    this.response.writeHead(code, {
      "content-type": contentType,
      "cache-control": "no-cache, private",
      ...headers,
    });
  }

  #warningHeaders(): string[] {
    const headers: string[] = [];
    let length = 0;
    for (const text of this.#warnings) {
      // A header is ASCII, and a quote would end the text.
      const safe = text.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&");
      length += safe.length;
      if (length > WARNINGS_LENGTH_MAX) break;
      headers.push(`299 - "${safe}"`);
    }
    return headers;
  }

  async #read(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of this.#request) {
      const bytes = chunk as Buffer;
      length += bytes.length;
      if (length > BODY_BYTES_MAX) {
        const message = `the body must have at most ${BODY_BYTES_MAX} bytes`;
        throw new ApiError("RequestEntityTooLarge", message);
      }
      chunks.push(bytes);
    }
    return Buffer.concat(chunks);
  }
}

/** Path segments, decoded one by one, so that an encoded slash stays inside its segment. */
function splitTarget(target: string): {
  readonly path: readonly string[];
  readonly query: URLSearchParams;
} {
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark === -1 ? "" : target.slice(mark + 1));
  const segments = path.split("/").filter((segment) => segment !== "");
  try {
    const decoded = segments.map(decodeURIComponent);
    // No object is called so, and nobody shall be able to write paths that mean others.
    if (decoded.some((one) => one === "." || one === ".." || /[/%\0]/.test(one))) {
      throw new ApiError("BadRequest", `the path "${path}" is not allowed`);
    }
    return { path: decoded, query };
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError("BadRequest", `the path "${path}" is not valid`);
  }
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError("BadRequest", "the body is not UTF-8");
  }
}

function parseJson(text: string): unknown {
  checkDepth(text);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ApiError("BadRequest", `the body is not JSON: ${why}`);
  }
}

function parseYamlBody(text: string): unknown {
  checkDepth(text);
  const { objects, problems } = parseYaml(text, "body");
  const [problem] = problems;
  if (problem !== undefined) {
    const { line, column, issue } = problem;
    const message = `the body is not YAML: line ${line}, column ${column}: ${formatIssue(issue)}`;
    throw new ApiError("BadRequest", message);
  }
  if (objects.length > 1) throw new ApiError("BadRequest", "the body has more than one object");
  return objects[0]?.raw;
}

/** Counts brackets outside of texts; cheap enough to do for every body. */
function checkDepth(text: string): void {
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (isInText) {
      if (char === 0x5c) at++;
      else if (char === 0x22) isInText = false;
    } else if (char === 0x22) isInText = true;
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > DEPTH_MAX) {
        throw new ApiError("BadRequest", `the body is nested deeper than ${DEPTH_MAX} levels`);
      }
    } else if (char === 0x7d || char === 0x5d) depth--;
  }
}
