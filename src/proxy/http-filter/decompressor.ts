import type { RuntimeReader } from "../../match/runtime-reader.ts";
import { HeaderList } from "../http/header-list.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { MessageHead, ResponseHead } from "../http/message-head.ts";
import type { CompressionLibrary } from "./compression-library.ts";
import { forbidsTransform } from "./compressor.ts";
import { RecodedBody, type RecodeObserver } from "./recoded-body.ts";

/** When bodies of one direction are decompressed. */
export interface DecompressedDirection {
  readonly isEnabled: (runtime: RuntimeReader) => boolean;
  readonly ignoresNoTransform: boolean;
}

export interface DecompressorConfig {
  readonly library: CompressionLibrary;
  readonly request: DecompressedDirection;
  readonly response: DecompressedDirection;
  /** Upstreams are told that responses may be compressed. */
  readonly advertises: boolean;
}

export const DECOMPRESSED_ZERO = {
  decompressed: 0,
  not_decompressed: 0,
  total_compressed_bytes: 0,
  total_uncompressed_bytes: 0,
};

/** What a decompressor counts. */
export interface DecompressorCounters {
  readonly request: typeof DECOMPRESSED_ZERO;
  readonly response: typeof DECOMPRESSED_ZERO;
  readonly onError: () => void;
}

/** Decompresses bodies that are in the format of its library. */
export class DecompressorFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #config: DecompressorConfig;
  readonly #counters: DecompressorCounters;
  readonly #bodies: RecodedBody[] = [];

  constructor(stream: FilterStream, config: DecompressorConfig, counters: DecompressorCounters) {
    this.#stream = stream;
    this.#config = config;
    this.#counters = counters;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    const stream = this.#stream;
    const { head, runtime } = stream;
    const { request, response, advertises, library } = this.#config;
    if (advertises && response.isEnabled(runtime)) {
      const accepted = addEncoding(head.headers.get("accept-encoding") ?? "", library.encoding);
      head.headers.set("accept-encoding", accepted);
    }
    if (isEnd) return FILTER.continue;
    const counters = this.#counters.request;
    const length = this.#prepare(head, request, counters);
    if (length === undefined) return FILTER.continue;
    stream.interceptRequest((next) => {
      const way = {
        pause: () => stream.pauseRequest(),
        resume: () => stream.resumeRequest(),
        flush: () => stream.flushRequest(),
      };
      return this.#keep(
        new RecodedBody({ library, length, way, observer: this.#observe(counters) }, next),
      );
    });
    return FILTER.continue;
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): void {
    if (!hasBody) return;
    const stream = this.#stream;
    const counters = this.#counters.response;
    const length = this.#prepare(head, this.#config.response, counters);
    if (length === undefined) return;
    stream.interceptResponse((next) => {
      const way = {
        pause: () => stream.pauseResponse(),
        resume: () => stream.resumeResponse(),
        flush: () => stream.flushResponse(),
      };
      const { library } = this.#config;
      return this.#keep(
        new RecodedBody({ library, length, way, observer: this.#observe(counters) }, next),
      );
    });
  }

  #keep(body: RecodedBody): RecodedBody {
    this.#bodies.push(body);
    return body;
  }

  /** Makes the head that of the decompressed body; answers how long it was, if it is for us. */
  #prepare(
    head: MessageHead,
    { isEnabled, ignoresNoTransform }: DecompressedDirection,
    counters: typeof DECOMPRESSED_ZERO,
  ): number | undefined {
    const { headers } = head;
    const encoding = headers.get("content-encoding") ?? "";
    const comma = encoding.indexOf(",");
    const first = (comma === -1 ? encoding : encoding.substring(0, comma)).trim();
    const isForUs =
      isEnabled(this.#stream.runtime) &&
      (ignoresNoTransform || !forbidsTransform(headers)) &&
      first.toLowerCase() === this.#config.library.encoding;
    if (!isForUs) {
      counters.not_decompressed++;
      return undefined;
    }
    counters.decompressed++;
    if (comma === -1) headers.remove("content-encoding");
    else headers.set("content-encoding", encoding.substring(comma + 1).trim());
    const length = head.contentLength;
    head.forgetLength();
    return length;
  }

  #observe(counters: typeof DECOMPRESSED_ZERO): RecodeObserver {
    const prefix = `x-envoy-decompressor-${this.#config.library.name}`.toLowerCase();
    let compressed = 0;
    let uncompressed = 0;
    return {
      onBytes(bytesIn, bytesOut) {
        compressed += bytesIn;
        uncompressed += bytesOut;
        counters.total_compressed_bytes += bytesIn;
        counters.total_uncompressed_bytes += bytesOut;
      },
      onError: this.#counters.onError,
      onEnd(trailers = new HeaderList()) {
        trailers.set(`${prefix}-compressed-bytes`, String(compressed));
        trailers.set(`${prefix}-uncompressed-bytes`, String(uncompressed));
        return trailers;
      },
    };
  }

  onStreamEnd(): void {
    for (const body of this.#bodies.splice(0)) body.stop();
  }
}

/** One more encoding that is accepted, unless it stands there without conditions. */
function addEncoding(accepted: string, encoding: string): string {
  if (accepted === "") return encoding;
  const others = accepted
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part.split(";", 1)[0]?.trim() !== encoding);
  return [...others, encoding].join(",");
}
