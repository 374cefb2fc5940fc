import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "../api/gen/envoy/service/discovery/v3/discovery_pb.js";
import type { Result } from "../base/issue.ts";

/** Istio's type for what tools such as istioctl ask over discovery, alone or before a page's name. */
const DEBUG_TYPE_URL = "istio.io/debug";

/** What a tool asks: `istio.io/debug/syncz`, or `istio.io/debug` with a page as its one name. */
export interface DebugRequest {
  readonly typeUrl: string;
  readonly resourceNames: readonly string[];
  /** `address:port` of who asks. */
  readonly peer: string;
}

/** Answers tools; the control plane implements it. */
export interface DebugSource {
  /** Names this control plane in the form that istioctl reads. */
  readonly controlPlane: string;
  /** The resources of the answer. Issues end the tool's stream, with their text. */
  answer(request: DebugRequest): Promise<Result<readonly Any[]>>;
}

/** Whether a request comes from a tool. */
export function isDebugType(typeUrl: string): boolean {
  return typeUrl === DEBUG_TYPE_URL || typeUrl.startsWith(`${DEBUG_TYPE_URL}/`);
}

/** How a `DebugCall` speaks. */
export interface DebugSink {
  readonly peer: string;
  write(bytes: Buffer): void;
  /** Ends the call; the text says why. */
  refuse(text: string): void;
}

/**
 * What one stream asks as a tool: one request at a time, each answered once. A tool is no proxy: it
 * is not listed, has no snapshot, and nothing is pushed to it.
 */
export class DebugCall {
  readonly #source: DebugSource;
  readonly #sink: DebugSink;
  #nonce = 0;
  #isBusy = false;

  constructor(source: DebugSource, sink: DebugSink) {
    this.#source = source;
    this.#sink = sink;
  }

  /** Answers a request; an acknowledgement of the last answer needs none. */
  receive(bytes: Uint8Array): void {
    const { typeUrl, resourceNames, responseNonce } = fromBinary(DiscoveryRequestSchema, bytes);
    // istioctl puts a time into the nonce of its first request, so only our own tell.
    if (responseNonce !== "" && responseNonce === this.#lastNonce) return;
    if (this.#isBusy) {
      this.#sink.refuse(`the answer to an earlier request for ${typeUrl} is still being made`);
      return;
    }
    this.#isBusy = true;
    const request = { typeUrl, resourceNames, peer: this.#sink.peer };
    void this.#answer(request).finally(() => (this.#isBusy = false));
  }

  get #lastNonce(): string {
    return `debug-${this.#nonce}`;
  }

  async #answer(request: DebugRequest): Promise<void> {
    try {
      const answer = await this.#source.answer(request);
      if (!answer.ok) {
        this.#sink.refuse(answer.issues.map(({ message }) => message).join("; "));
        return;
      }
      this.#nonce += 1;
      const response = create(DiscoveryResponseSchema, {
        typeUrl: request.typeUrl,
        resources: [...answer.value],
        nonce: this.#lastNonce,
        controlPlane: { identifier: this.#source.controlPlane },
      });
      this.#sink.write(Buffer.from(toBinary(DiscoveryResponseSchema, response)));
    } catch (error) {
      this.#sink.refuse(error instanceof Error ? error.message : String(error));
    }
  }
}
