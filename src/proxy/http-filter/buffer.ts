import {
  FILTER,
  type FilterStatus,
  type FilterStream,
  type HttpFilter,
} from "../http/http-filter.ts";
import { REQUEST_TOO_LARGE } from "../http/local-reply.ts";
import { CODING } from "../http/message-head.ts";

/** How much of a request is waited for, or that it is not waited for at all. */
export interface BufferSettings {
  readonly filter: "buffer";
  /** `undefined`: requests go on as they come. */
  readonly bytesMax: number | undefined;
}

/** Lets a request go on when all of it is here, and says how long it is. */
export class BufferFilter implements HttpFilter {
  readonly #stream: FilterStream;
  readonly #name: string;
  readonly #own: BufferSettings;

  constructor(stream: FilterStream, name: string, own: BufferSettings) {
    this.#stream = stream;
    this.#name = name;
    this.#own = own;
  }

  onRequestHead(isEnd: boolean): FilterStatus {
    if (isEnd) return FILTER.continue;
    const stream = this.#stream;
    const given = stream.routeConfig(this.#name);
    const { bytesMax } = given !== undefined && isBufferSettings(given) ? given : this.#own;
    if (bytesMax === undefined) return FILTER.continue;
    stream.gatherRequest({
      bytesMax,
      onWhole: (bytes) => {
        const { head } = stream;
        if (head.contentLength === -1) {
          head.contentLength = bytes;
          head.coding = CODING.none;
          head.headers.set("content-length", String(bytes));
        }
        stream.continueRequest();
      },
      onTooLarge: () => stream.localReply(REQUEST_TOO_LARGE),
    });
    return FILTER.stop;
  }
}

function isBufferSettings(settings: object): settings is BufferSettings {
  return "filter" in settings && settings.filter === "buffer";
}
