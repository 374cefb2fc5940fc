import type { RuntimeReader } from "../../match/runtime-reader.ts";
import type { StringPredicate } from "../../match/string-match.ts";
import type { HeaderList } from "../http/header-list.ts";
import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import type { MessageHead, ResponseHead } from "../http/message-head.ts";
import { chooseEncoding, type EncodingChoice } from "./accept-encoding.ts";
import type { CompressionLibrary, RecodeCounters } from "./compression-library.ts";
import { RecodedBody, type RecodeObserver } from "./recoded-body.ts";

/** When bodies of one direction are compressed. */
export interface CompressedDirection {
  readonly isEnabled: (runtime: RuntimeReader) => boolean;
  readonly bytesMin: number;
  readonly allowsType: StringPredicate;
}

/** What a compressor is told; decoded and checked. */
export interface CompressorConfig {
  readonly library: CompressionLibrary;
  readonly request: CompressedDirection | undefined;
  readonly response: CompressedDirection;
  /** In statistics the responses of older configurations have no word of their own. */
  readonly responseStat: "" | ".response";
  readonly refusesEtag: boolean;
  readonly weakensEtag: boolean;
  readonly removesAcceptEncoding: boolean;
  readonly statuses: ReadonlySet<number>;
  readonly tellsStatus: boolean;
  readonly isFirst: boolean;
}

/** What a route says; `undefined` for what it leaves to the filter. */
export interface CompressorSettings {
  readonly filter: "compressor";
  readonly isDisabled: boolean;
  readonly isResponseEnabled: boolean;
  readonly removesAcceptEncoding: boolean | undefined;
  readonly library: CompressionLibrary | undefined;
}

export const DIRECTION_ZERO = {
  compressed: 0,
  content_length_too_small: 0,
  not_compressed: 0,
  total_compressed_bytes: 0,
  total_uncompressed_bytes: 0,
};

export const RESPONSE_ZERO = {
  header_compressor_overshadowed: 0,
  header_compressor_used: 0,
  header_identity: 0,
  header_not_valid: 0,
  header_wildcard: 0,
  no_accept_header: 0,
  not_compressed_etag: 0,
};

/** What a compressor counts. */
export interface CompressorCounters {
  readonly common: typeof RESPONSE_ZERO;
  readonly request: typeof DIRECTION_ZERO;
  readonly response: typeof DIRECTION_ZERO;
}

/** Compresses the bodies of responses, and of requests where that is asked for. */
export class CompressorFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #config: CompressorConfig;
  readonly #counters: CompressorCounters;
  #settings: CompressorSettings | undefined = undefined;
  #isSeen = false;
  #accepted: string | undefined = undefined;
  readonly #bodies: RecodedBody[] = [];

  constructor(
    stream: FilterStream,
    name: string,
    config: CompressorConfig,
    counters: CompressorCounters,
  ) {
    this.#stream = stream;
    this.#name = name;
    this.#config = config;
    this.#counters = counters;
  }

  get #library(): CompressionLibrary {
    return this.#settings?.library ?? this.#config.library;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    const stream = this.#stream;
    const { head, notes } = stream;
    this.#isSeen = true;
    const given = stream.routeConfig(this.#name);
    this.#settings = given !== undefined && isSettings(given) ? given : undefined;
    notes.compression ??= { offered: [], choice: undefined };
    const { isFirst, response } = this.#config;
    const { encoding } = this.#library;
    notes.compression.offered.push({ encoding, isFirst, allowsType: response.allowsType });
    this.#accepted = head.headers.get("accept-encoding");
    if (this.#removesAcceptEncoding) head.headers.remove("accept-encoding");
    const { request } = this.#config;
    // What routes say is about responses.
    if (request === undefined) this.#counters.request.not_compressed++;
    else this.#compressRequest(request, isEnd);
    return FILTER.continue;
  }

  get #removesAcceptEncoding(): boolean {
    if (!this.#isResponseOn) return false;
    return this.#settings?.removesAcceptEncoding ?? this.#config.removesAcceptEncoding;
  }

  get #isResponseOn(): boolean {
    const settings = this.#settings;
    if (settings?.isDisabled === true) return false;
    return (
      settings?.isResponseEnabled === true || this.#config.response.isEnabled(this.#stream.runtime)
    );
  }

  #compressRequest(direction: CompressedDirection, isEnd: boolean): void {
    const stream = this.#stream;
    const { head } = stream;
    const counters = this.#counters.request;
    const { headers } = head;
    if (
      isEnd ||
      !direction.isEnabled(stream.runtime) ||
      !isLongEnough(head, direction, counters) ||
      !isTypeAllowed(headers, direction) ||
      forbidsTransform(headers) ||
      headers.has("content-encoding")
    ) {
      counters.not_compressed++;
      return;
    }
    counters.compressed++;
    const library = this.#library;
    const length = head.contentLength;
    head.forgetLength();
    headers.set("content-encoding", library.encoding);
    stream.interceptRequest((next) => {
      const way = {
        pause: () => stream.pauseRequest(),
        resume: () => stream.resumeRequest(),
        flush: () => stream.flushRequest(),
      };
      return this.#keep(
        new RecodedBody({ library, length, way, observer: observe(counters) }, next),
      );
    });
  }

  #keep(body: RecodedBody): RecodedBody {
    this.#bodies.push(body);
    return body;
  }

  onResponseHead(head: ResponseHead, hasBody: boolean): void {
    const { headers } = head;
    const counters = this.#counters.response;
    if (!this.#isResponseOn) {
      counters.not_compressed++;
      return;
    }
    const length = head.contentLength;
    const verdict = this.#lengthVerdict(head, hasBody) || this.#judge(head);
    const isCompressed = this.#tryCompress(head, hasBody, verdict);
    if (!isCompressed) counters.not_compressed++;
    if (verdict === "") addVary(headers);
    if (!this.#config.tellsStatus || !hasBody) return;
    const status = isCompressed ? `Compressed;OriginalLength=${length < 0 ? "" : length}` : verdict;
    if (status === "" || status === UNTOLD) return;
    headers.add("x-envoy-compression-status", `${this.#library.encoding};${status}`);
  }

  #lengthVerdict(head: ResponseHead, hasBody: boolean): string {
    const { response, tellsStatus } = this.#config;
    const counters = this.#counters.response;
    if (isLongEnough(head, response, counters)) return "";
    // As in Envoy, where the answer is looked at once more for its status.
    if (hasBody && tellsStatus) counters.content_length_too_small++;
    return TOO_SMALL;
  }

  /** What the client accepts is looked at, and counted, also where it does not matter any more. */
  #tryCompress(head: ResponseHead, hasBody: boolean, verdict: string): boolean {
    if (!hasBody || verdict === TOO_SMALL) return false;
    if (verdict !== "" && this.#config.tellsStatus) return false;
    if (!this.#isAccepted(head.headers) || verdict !== "") return false;
    this.#compressResponse(head);
    return true;
  }

  /** Why the response cannot be compressed whatever its client accepts; "" when it can. */
  #judge({ headers, status }: ResponseHead): string {
    const { response, refusesEtag, weakensEtag, statuses } = this.#config;
    if (!isTypeAllowed(headers, response)) return "ContentTypeNotAllowed";
    if (forbidsTransform(headers)) return UNTOLD;
    if (refusesEtag && !weakensEtag && headers.has("etag")) {
      this.#counters.common.not_compressed_etag++;
      return "EtagNotAllowed";
    }
    if (headers.has("content-encoding")) return UNTOLD;
    return statuses.has(status) ? "StatusCodeNotAllowed" : "";
  }

  #isAccepted(headers: HeaderList): boolean {
    const { common } = this.#counters;
    const compression = this.#stream.notes.compression;
    if (this.#accepted === undefined || compression === undefined) {
      common.no_accept_header++;
      return false;
    }
    if (compression.choice === undefined) {
      const type = typeOf(headers);
      const offered = compression.offered.filter(
        ({ allowsType }) => type === undefined || type === "" || allowsType(type),
      );
      compression.choice = chooseEncoding(this.#accepted, offered);
    }
    return this.#count(compression.choice);
  }

  #count({ encoding, reason }: EncodingChoice): boolean {
    const { common } = this.#counters;
    const isIt = encoding === this.#library.encoding;
    if (reason === "valid") {
      common[isIt ? "header_compressor_used" : "header_compressor_overshadowed"]++;
    } else common[`header_${reason}`]++;
    return isIt;
  }

  #compressResponse(head: ResponseHead): void {
    const stream = this.#stream;
    const library = this.#library;
    const length = head.contentLength;
    const { headers } = head;
    const counters = this.#counters.response;
    counters.compressed++;
    weakenEtag(headers, this.#config.weakensEtag);
    head.forgetLength();
    headers.set("content-encoding", library.encoding);
    stream.interceptResponse((next) => {
      const way = {
        pause: () => stream.pauseResponse(),
        resume: () => stream.resumeResponse(),
        flush: () => stream.flushResponse(),
      };
      return this.#keep(
        new RecodedBody({ library, length, way, observer: observe(counters) }, next),
      );
    });
  }

  onStreamEnd(): void {
    if (!this.#isSeen) return;
    this.#isSeen = false;
    this.#settings = undefined;
    this.#accepted = undefined;
    for (const body of this.#bodies.splice(0)) body.stop();
  }
}

/** Why a response is not compressed, where no status says so. */
const UNTOLD = "-";
const TOO_SMALL = "ContentLengthTooSmall";

function isSettings(settings: object): settings is CompressorSettings {
  return "filter" in settings && settings.filter === "compressor";
}

function observe(counters: RecodeCounters): RecodeObserver {
  return {
    onBytes(bytesIn, bytesOut) {
      counters.total_uncompressed_bytes += bytesIn;
      counters.total_compressed_bytes += bytesOut;
    },
    onError: () => undefined,
    onEnd: (trailers) => trailers,
  };
}

/** A body without a length is long enough. */
function isLongEnough(
  { contentLength }: MessageHead,
  { bytesMin }: CompressedDirection,
  counters: typeof DIRECTION_ZERO,
): boolean {
  if (contentLength === -1 || contentLength >= bytesMin) return true;
  counters.content_length_too_small++;
  return false;
}

/** Without its parameters; `undefined` where there is none. */
function typeOf(headers: HeaderList): string | undefined {
  return headers.first("content-type")?.split(";", 1)[0]?.trim();
}

function isTypeAllowed(headers: HeaderList, { allowsType }: CompressedDirection): boolean {
  const type = typeOf(headers);
  return type === undefined || allowsType(type);
}

/** Whether `cache-control` asks to leave the body as it is (RFC 9111 5.2.2.6). */
export function forbidsTransform(headers: HeaderList): boolean {
  const value = headers.get("cache-control");
  if (value === undefined) return false;
  return value.split(",").some((part) => part.trim().toLowerCase() === "no-transform");
}

function weakenEtag(headers: HeaderList, isKept: boolean): void {
  const etag = headers.first("etag");
  if (etag === undefined || /^W\//i.test(etag)) return;
  if (isKept) headers.set("etag", `W/${etag}`);
  else headers.remove("etag");
}

/** Tells caches that another client may get another body. */
function addVary(headers: HeaderList): void {
  const vary = headers.get("vary");
  if (vary === undefined || vary === "") headers.set("vary", "Accept-Encoding");
  else if (!/(^|,)\s*Accept-Encoding\s*(,|$)/.test(vary)) {
    headers.set("vary", `${vary}, Accept-Encoding`);
  }
}
