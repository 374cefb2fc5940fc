import type { BodySink } from "./body-sink.ts";
import type { FilterRun } from "./filter-run.ts";
import type { ResponseHead } from "./message-head.ts";
import { chainSinks, type MakeSink } from "./request-way.ts";

/** Who gets a response that all filters have let pass. */
export interface ResponseClient extends BodySink {
  onResponseHead(head: ResponseHead, hasBody: boolean): void;
}

/**
 * The way of a response from the router to its client: its head past the filters, the last one
 * first, and its body through what they put in between.
 */
export class ResponseWay {
  readonly #filters: FilterRun;
  readonly #client: ResponseClient;
  #makes: MakeSink[] | undefined = undefined;
  /** The first of what filters put before the client; `undefined` when none did. */
  sink: BodySink | undefined = undefined;

  constructor(filters: FilterRun, client: ResponseClient) {
    this.#filters = filters;
    this.#client = client;
  }

  /** A response comes, the upstream's or one of our own. */
  begin(head: ResponseHead, hasBody: boolean): void {
    this.sink = undefined;
    this.#filters.onResponseHead(head, hasBody);
    if (this.#makes !== undefined) {
      this.sink = chainSinks(this.#makes, this.#client);
      this.#makes = undefined;
    }
    this.#client.onResponseHead(head, hasBody);
  }

  intercept(make: MakeSink): void {
    (this.#makes ??= []).push(make);
  }

  /** It is over, in order or not. */
  end(): void {
    this.sink = undefined;
    this.#makes = undefined;
  }
}
