import type { BodySink } from "./body-sink.ts";
import type { HeaderList } from "./header-list.ts";

/** Of a request that a filter holds, about as much is kept as one read brings. */
const HELD_BYTES_MAX = 49_152;

/** Makes what stands before `next`. */
export type MakeSink = (next: BodySink) => BodySink;

/** Puts together what filters put before `last`; the first one made gets the bytes first. */
export function chainSinks(makes: readonly MakeSink[], last: BodySink): BodySink {
  return makes.reduceRight((next, make) => make(next), last);
}

/** A filter that wants to see all of a request before it lets it go on. */
export interface WholeRequest {
  readonly bytesMax: number;
  /** All of it is here, in so many bytes; it goes on with `continueRequest`. */
  onWhole(bytes: number): void;
  /** It is larger; nothing more is kept of it, and it is to be answered. */
  onTooLarge(): void;
}

/**
 * The way of a request's body from its client to the router. It is held back while a filter holds
 * the request, and goes through what filters put in between, first filter first.
 */
export class RequestWay implements BodySink {
  readonly #end: BodySink;
  readonly #pause: () => void;
  #isHeld = false;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isDone = false;
  #trailers: HeaderList | undefined = undefined;
  #makes: MakeSink[] | undefined = undefined;
  #sink: BodySink;
  #whole: WholeRequest | undefined = undefined;

  /** `pause` is called when so much is held that the client has to wait. */
  constructor(end: BodySink, pause: () => void) {
    this.#end = end;
    this.#sink = end;
    this.#pause = pause;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }
  /** Whether nothing stands or waits between the client and the router. */
  get isClear(): boolean {
    return this.#held.length === 0 && this.#makes === undefined;
  }

  /** For the next request; `isDone` when no body follows its head. */
  reset(isDone: boolean): void {
    this.#isHeld = false;
    this.#isDone = isDone;
    this.#trailers = undefined;
    this.#sink = this.#end;
    this.#makes = undefined;
    this.#drop();
  }

  /** The filters see the request anew: what they put in between before is gone. */
  begin(): void {
    this.#sink = this.#end;
    this.#makes = undefined;
  }

  intercept(make: MakeSink): void {
    this.#makes ??= [];
    this.#makes.push(make);
  }

  /** Waits for all of the request, instead of stopping the client. */
  gather(whole: WholeRequest): void {
    this.#whole = whole;
  }

  hold(): void {
    this.#isHeld = true;
    this.#tellWhole();
  }

  /** No more of it is kept. */
  drop(): void {
    this.#isHeld = false;
    this.#drop();
  }

  #drop(): void {
    this.#whole = undefined;
    this.#heldBytes = 0;
    if (this.#held.length > 0) this.#held = [];
  }

  /** The filters may be shown the request again; what is held stays until `open`. */
  letGo(): void {
    this.#isHeld = false;
  }

  /** All filters have let the request pass: what was held goes on. */
  open(): void {
    if (this.#makes !== undefined) this.#sink = chainSinks(this.#makes, this.#end);
    const held = this.#held;
    const hadSinks = this.#makes !== undefined;
    if (held.length === 0 && !(hadSinks && this.#isDone)) return;
    this.#held = [];
    this.#heldBytes = 0;
    for (const bytes of held) this.#sink.onBodyBytes(bytes, 0, bytes.length);
    if (this.#isDone) this.#sink.onBodyEnd(this.#trailers);
  }

  onBodyBytes(buffer: Buffer, from: number, to: number): void {
    if (!this.#isHeld) return this.#sink.onBodyBytes(buffer, from, to);
    this.#held.push(Buffer.from(buffer.subarray(from, to)));
    this.#heldBytes += to - from;
    const whole = this.#whole;
    if (whole === undefined) {
      // Of a client that waits nobody hears when it goes, so it waits only where it sends a lot.
      if (this.#heldBytes >= HELD_BYTES_MAX) this.#pause();
      return;
    }
    if (this.#heldBytes <= whole.bytesMax) return;
    this.#drop();
    this.#pause();
    whole.onTooLarge();
  }

  onBodyEnd(trailers?: HeaderList): void {
    this.#isDone = true;
    this.#trailers = trailers;
    if (this.#isHeld) this.#tellWhole();
    else this.#sink.onBodyEnd(trailers);
  }

  #tellWhole(): void {
    const whole = this.#whole;
    if (whole === undefined || !this.#isDone) return;
    this.#whole = undefined;
    whole.onWhole(this.#heldBytes);
  }
}
