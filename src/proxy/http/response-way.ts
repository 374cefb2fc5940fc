import type { BodySink } from "./body-sink.ts";
import type { FilterRun } from "./filter-run.ts";
import type { HeaderList } from "./header-list.ts";
import type { ResponseHead } from "./message-head.ts";
import { chainSinks, type MakeSink } from "./request-way.ts";

/** Who gets a response that all filters have let pass. */
export interface ResponseClient extends BodySink {
  onResponseHead(head: ResponseHead, hasBody: boolean): void;
  /** How much of a body is kept while a filter holds its head. */
  bufferBytesMax(): number;
  /** It is more than that; nothing of it is kept. */
  onTooLarge(): void;
}

/** A response whose head a filter holds. */
interface HeldResponse {
  readonly head: ResponseHead;
  readonly hasBody: boolean;
  /** Where its body has come to. */
  readonly body: HeldBody;
}

/**
 * The way of a response from the router to its client: its head past the filters, the last one
 * first, and its body through what they put in between. A filter may hold the head: its body then
 * comes as far as that filter, and waits behind it until the filter lets the head go on.
 */
export class ResponseWay {
  readonly #filters: FilterRun;
  readonly #client: ResponseClient;
  #makes: MakeSink[] | undefined = undefined;
  #held: HeldResponse | undefined = undefined;
  /** Counts responses: one may be answered by another while the filters see it. */
  #turn = 0;
  /** Where the body goes first; `undefined` when that is the client itself. */
  sink: BodySink | undefined = undefined;

  constructor(filters: FilterRun, client: ResponseClient) {
    this.#filters = filters;
    this.#client = client;
  }

  /**
   * A response comes, the upstream's or one of our own. False when a filter has answered in its
   * place: nothing more of it is wanted.
   */
  begin(head: ResponseHead, hasBody: boolean): boolean {
    this.end();
    this.#filters.beginResponse();
    return this.#pass(head, hasBody, undefined);
  }

  /** Lets a head that is held go on to the next filter; `hasBody` where it has got one. */
  goOn(hasBody = false): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    this.#pass(held.head, held.hasBody || hasBody, held.body);
  }

  #pass(head: ResponseHead, hasBody: boolean, waiting: HeldBody | undefined): boolean {
    const turn = this.#turn;
    const isPassed = this.#filters.runResponse(head, hasBody);
    if (turn !== this.#turn) return false;
    const makes = this.#makes;
    this.#makes = undefined;
    let next: BodySink = this.#client;
    if (isPassed) this.#client.onResponseHead(head, hasBody);
    else {
      const body = new HeldBody(this.#client);
      this.#held = { head, hasBody, body };
      next = body;
    }
    if (makes !== undefined) next = chainSinks(makes, next);
    if (waiting !== undefined) waiting.open(next);
    else if (next !== this.#client) this.sink = next;
    return true;
  }

  intercept(make: MakeSink): void {
    (this.#makes ??= []).push(make);
  }

  /** It is over, in order or not. */
  end(): void {
    this.#turn++;
    this.sink = undefined;
    this.#makes = undefined;
    this.#held = undefined;
  }
}

/** The body of a response as far as it has come, while its head waits. */
class HeldBody implements BodySink {
  readonly #client: ResponseClient;
  #next: BodySink | undefined = undefined;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isTooLarge = false;
  #isDone = false;
  #trailers: HeaderList | undefined = undefined;

  constructor(client: ResponseClient) {
    this.#client = client;
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (this.#next !== undefined) return this.#next.onBodyBytes(buffer, from, to);
    if (this.#isTooLarge) return;
    this.#bytes += to - from;
    if (this.#bytes > this.#client.bufferBytesMax()) {
      this.#isTooLarge = true;
      this.#pieces = [];
      return this.#client.onTooLarge();
    }
    this.#pieces.push(Buffer.from(buffer.subarray(from, to)));
  }

  onBodyEnd(trailers?: HeaderList): void {
    if (this.#next !== undefined) return this.#next.onBodyEnd(trailers);
    this.#isDone = true;
    this.#trailers = trailers;
  }

  /** The head has gone on. */
  open(next: BodySink): void {
    this.#next = next;
    const pieces = this.#pieces;
    this.#pieces = [];
    for (const bytes of pieces) next.onBodyBytes(bytes, 0, bytes.length);
    if (this.#isDone) next.onBodyEnd(this.#trailers);
  }
}
