import { HeaderList } from "./header-list.ts";

/** Why a message is refused: the status a client gets for it, and Envoy's name of the reason. */
export interface HeadError {
  readonly status: 400 | 408 | 426 | 431 | 501;
  readonly detail: string;
}

/** The transfer codings of a message. */
export const CODING = { none: 0, chunked: 1, unknown: 2 } as const;

/**
 * What the parser learnt of one message besides its first line. Reused from message to message.
 * Headers that only concern this hop are facts here and not in the list.
 */
export class MessageHead {
  readonly headers = new HeaderList();
  /** -1: there was none. */
  contentLength = -1;
  coding: number = CODING.none;
  /** The minor version of HTTP/1. */
  minor = 1;
  wantsClose = false;
  wantsKeepAlive = false;
  /** The headers that `Connection` names, in lower case; "" for none. */
  nominated = "";
  /** The last `Connection` value as it came. */
  connection = "";

  resetFields(): void {
    this.headers.clear();
    this.contentLength = -1;
    this.coding = CODING.none;
    this.wantsClose = false;
    this.wantsKeepAlive = false;
    this.nominated = "";
    this.connection = "";
  }

  /** Becomes a copy of another one, as far as the fields of all messages go. */
  takeFields(other: MessageHead): void {
    this.headers.restore(other.headers.snapshot());
    this.contentLength = other.contentLength;
    this.coding = other.coding;
    this.minor = other.minor;
    this.wantsClose = other.wantsClose;
    this.wantsKeepAlive = other.wantsKeepAlive;
    this.nominated = other.nominated;
    this.connection = other.connection;
  }

  /** The body will not be as long as was said: no length is told any more. */
  forgetLength(): void {
    this.headers.remove("content-length");
    this.contentLength = -1;
  }
}

/** A request as it came. */
export class RequestHead extends MessageHead {
  method = "";
  /** Path and query: begins with "/", but for `OPTIONS *`, `http://host?query` and CONNECT. */
  path = "";
  /** The Host header, or the authority of an absolute-form target. */
  authority = "";
  hasHost = false;
  /** The value of `Upgrade` when `Connection` names it; "" for none. */
  upgrade = "";
  expectsContinue = false;
  /** Whether one of `INTERNAL_NAMES` is among the headers. */
  hasInternalHeaders = false;
  /** What its client speaks, where a filter makes something else of it; `undefined`: what it says. */
  isFromGrpcClient: boolean | undefined = undefined;

  reset(): void {
    this.resetFields();
    this.method = "";
    this.path = "";
    this.authority = "";
    this.hasHost = false;
    this.upgrade = "";
    this.expectsContinue = false;
    this.hasInternalHeaders = false;
    this.isFromGrpcClient = undefined;
  }

  /** Becomes a copy of another one. */
  take(other: RequestHead): void {
    this.takeFields(other);
    this.method = other.method;
    this.path = other.path;
    this.authority = other.authority;
    this.hasHost = other.hasHost;
    this.upgrade = other.upgrade;
    this.expectsContinue = other.expectsContinue;
    this.hasInternalHeaders = other.hasInternalHeaders;
    this.isFromGrpcClient = other.isFromGrpcClient;
  }

  /** HTTP/1.1 needs to know where the body ends all the same. */
  override forgetLength(): void {
    super.forgetLength();
    this.coding = CODING.chunked;
  }
}

/** A response as it came. */
export class ResponseHead extends MessageHead {
  status = 0;

  reset(): void {
    this.resetFields();
    this.status = 0;
  }
}
