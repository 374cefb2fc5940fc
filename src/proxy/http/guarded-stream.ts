import type { ResponseFlag } from "../../match/response-flags.ts";
import type { HeaderList } from "./header-list.ts";
import { HttpStream } from "./http-stream.ts";
import type { LocalReply } from "./local-reply.ts";
import type { ResponseHead } from "./message-head.ts";
import type { TimeoutReply } from "./stream-timers.ts";

/**
 * A stream that exceptions do not leave: what a filter, the router, a matcher or an access log throws
 * ends this stream, with 500 where nothing has been sent yet, and is counted. Everybody else, its
 * connection's other streams included, goes on. Every way into a stream is here; a `try` costs
 * nothing until something is thrown.
 */
export class GuardedStream extends HttpStream {
  /** While it is answered for what it has thrown: what that throws is caught above. */
  #isFailing = false;

  #onFault(error: unknown): void {
    const { note } = this.context.faults;
    note(error);
    this.#isFailing = true;
    try {
      this.fail();
    } catch (another) {
      note(another);
      this.abort();
    }
    this.#isFailing = false;
  }

  override start(isRequestDone: boolean): void {
    try {
      super.start(isRequestDone);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override refuse(reply: LocalReply, told?: boolean): void {
    try {
      super.refuse(reply, told);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override restart(): void {
    try {
      super.restart();
    } catch (error) {
      this.#onFault(error);
    }
  }

  override continueRequest(): void {
    try {
      super.continueRequest();
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onTimeout(reply: TimeoutReply): void {
    try {
      super.onTimeout(reply);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onBodyBytes(buffer: Buffer, from: number, to: number): void {
    try {
      super.onBodyBytes(buffer, from, to);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onBodyEnd(trailers?: HeaderList): void {
    try {
      super.onBodyEnd(trailers);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onReadEnd(): void {
    try {
      super.onReadEnd();
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onBadBody(reply: LocalReply): void {
    try {
      super.onBadBody(reply);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onDownstreamReset(flag: ResponseFlag | "", details: string): void {
    try {
      super.onDownstreamReset(flag, details);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onDownstreamDrain(): void {
    try {
      super.onDownstreamDrain();
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onUpstreamInterim(head: ResponseHead): void {
    try {
      super.onUpstreamInterim(head);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onUpstreamHead(head: ResponseHead, hasBody: boolean): void {
    try {
      super.onUpstreamHead(head, hasBody);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onUpstreamBytes(buffer: Buffer, from: number, to: number): void {
    try {
      super.onUpstreamBytes(buffer, from, to);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onUpstreamEnd(trailers: HeaderList | undefined): void {
    try {
      super.onUpstreamEnd(trailers);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override onUpstreamReadEnd(): void {
    try {
      super.onUpstreamReadEnd();
    } catch (error) {
      this.#onFault(error);
    }
  }

  override continueResponse(hasBody?: true): void {
    try {
      super.continueResponse(hasBody);
    } catch (error) {
      this.#onFault(error);
    }
  }

  override localReply(reply: LocalReply): void {
    if (this.#isFailing) return super.localReply(reply);
    try {
      super.localReply(reply);
    } catch (error) {
      this.#onFault(error);
    }
  }
}
