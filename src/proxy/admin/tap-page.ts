import type { ServerResponse } from "node:http";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { parse } from "yaml";
import { TapRequestSchema } from "../../api/gen/envoy/admin/v3/tap_pb.js";
import { formatIssue, type Issue } from "../../base/issue.ts";
import { decodeTapConfig } from "../decode/tap.ts";
import { EXTENSION_TYPES } from "../extension-types.ts";
import { encodeTrace } from "../tap/encode-trace.ts";
import type { TapConfig, TapTarget } from "../tap/tap-config.ts";
import type { Page, PageRequest, Rendered, Streamed } from "./page.ts";

/** What a client has not read yet; more is left out. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** Taps what goes through filters that wait to be told, for as long as the client stays. */
export const TAP_PAGE: Page = {
  path: "/tap",
  help: "tap filter control: post a TapRequest",
  isPost: true,
  takesBody: true,
  render: tap,
};

function tap(request: PageRequest): Rendered | Streamed {
  const { taps } = request.state;
  if (taps.isAttached) {
    return refuse("An attached /tap admin stream already exists. Detach it.");
  }
  if (request.body === "") return refuse("/tap requires a JSON/YAML body");
  const read = readRequest(request.body);
  if (typeof read === "string") return refuse(read);
  const { configId, config } = read;
  if (!taps.ids.has(configId)) {
    const what = `Unknown config id '${configId}'. No extension has registered with this id.`;
    return refuse(what);
  }
  return {
    stream(response) {
      response.setHeader("content-type", "text/plain; charset=UTF-8");
      response.flushHeaders();
      const client = new TapClient(response, config, request);
      taps.attach(configId, client);
      request.signal.addEventListener("abort", () => {
        client.stop();
        taps.detach();
        response.end();
      });
    },
  };
}

function refuse(body: string): Rendered {
  return { status: 400, body };
}

/** What is posted; a text says what is wrong with it. */
function readRequest(body: string): { configId: string; config: TapConfig } | string {
  try {
    const json = parse(body) as JsonValue;
    const message = fromJson(TapRequestSchema, json, { registry: EXTENSION_TYPES });
    const issues: Issue[] = [];
    if (message.configId === "") issues.push({ path: "config_id", message: "is missing" });
    if (message.tapConfig === undefined) {
      issues.push({ path: "tap_config", message: "is missing" });
      return issues.map(formatIssue).join("\n");
    }
    const config = decodeTapConfig(message.tapConfig, "tap_config", issues);
    if (config?.output.kind === "file") {
      const what = "file_per_tap stands in a static configuration only";
      issues.push({ path: "tap_config.output_config.sinks[0]", message: what });
    }
    if (config?.format === "PROTO_BINARY") {
      const what =
        "PROTO_BINARY does not tell where a trace ends, PROTO_BINARY_LENGTH_DELIMITED does";
      issues.push({ path: "tap_config.output_config.sinks[0].format", message: what });
    }
    if (config === undefined || issues.length > 0) return issues.map(formatIssue).join("\n");
    return { configId: message.configId, config };
  } catch (error) {
    return `Unable to parse the body: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Whoever posted a configuration, and gets what it taps. */
class TapClient implements TapTarget {
  readonly config: TapConfig;
  readonly #response: ServerResponse;
  /** Of the output that waits for more. */
  readonly #tracesMax: number;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  readonly #timer: { cancel(): void } | undefined;

  constructor(response: ServerResponse, config: TapConfig, { state }: PageRequest) {
    this.#response = response;
    this.config = config;
    const { output } = config;
    this.#tracesMax = output.kind === "bufferedAdmin" ? output.tracesMax : 0;
    if (output.kind === "bufferedAdmin" && output.timeoutMs > 0) {
      this.#timer = state.clock.setTimer(output.timeoutMs, () => this.#finish());
    }
  }

  open(): { write(trace: Parameters<typeof encodeTrace>[0]): void; end(): void } {
    return {
      write: (trace) => this.#take(encodeTrace(trace, this.config.format)),
      end: () => undefined,
    };
  }

  #take(bytes: Uint8Array): void {
    if (this.#tracesMax === 0) {
      if (this.#response.writableLength < WAITING_BYTES_MAX) this.#response.write(bytes);
      return;
    }
    if (this.#waitingBytes < WAITING_BYTES_MAX) {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    }
    if (this.#waiting.length >= this.#tracesMax) this.#finish();
  }

  /** Sends what waited; the end of the response detaches it. */
  #finish(): void {
    for (const bytes of this.#waiting.splice(0)) this.#response.write(bytes);
    this.#response.end();
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
