import type { HeaderList } from "../http/header-list.ts";
import { HEADER } from "../http/header-name.ts";
import type { MessageHead, RequestHead, ResponseHead } from "../http/message-head.ts";
import { parseContentLength, type UnderscoreAction } from "../http/parse-fields.ts";
import { FIELD } from "./field-kind.ts";
import type { FieldSink } from "./hpack-decoder.ts";

/** How long a head may be, and what to do with names that have an underscore. */
export interface FieldLimits {
  readonly headBytesMax: number;
  readonly headerCountMax: number;
  readonly underscores: UnderscoreAction;
}

/** What is counted of header names with an underscore. */
export interface UnderscoreCounters {
  dropped_headers_with_underscores: number;
  requests_rejected_with_underscores_in_headers: number;
}

/** Why a message is no good. */
export const BAD_MESSAGE = {
  /** A field that may not be there, or not with that value. */
  field: "http2.invalid.header.field",
  /** Something is missing, or in the wrong place. */
  rule: "http2.violation.of.messaging.rule",
  tooManyHeaders: "http2.too_many_headers",
  headTooLarge: "http2.header_list_size_too_large",
  underscore: "http2.unexpected_underscore",
} as const;
export type BadMessage = (typeof BAD_MESSAGE)[keyof typeof BAD_MESSAGE];

const PSEUDO_METHOD = 1;
const PSEUDO_PATH = 2;
const PSEUDO_SCHEME = 4;
const PSEUDO_AUTHORITY = 8;
const PSEUDO_PROTOCOL = 16;

/** What takes the fields of a block that nobody wants: the tables must know them all the same. */
export const NO_FIELDS: FieldSink = { onField() {} };

/**
 * Takes the fields of one message after the other into its head, and finds out whether they may
 * stand there (RFC 9113 8.2, 8.3): for one side of a connection.
 */
abstract class MessageFields<Head extends MessageHead> implements FieldSink {
  protected head: Head;
  readonly #limits: FieldLimits;
  readonly #counters: UnderscoreCounters;
  protected error: BadMessage | undefined = undefined;
  #bytes = 0;
  #count = 0;
  #hasRegular = false;
  /** Where the first crumb of the cookie stands among the entries; -1 for none. */
  #cookieAt = -1;

  constructor(head: Head, limits: FieldLimits, counters: UnderscoreCounters) {
    this.head = head;
    this.#limits = limits;
    this.#counters = counters;
  }

  protected restart(head: Head): void {
    this.head = head;
    this.error = undefined;
    this.#bytes = 0;
    this.#count = 0;
    this.#hasRegular = false;
    this.#cookieAt = -1;
  }

  onField(name: string, value: string, kind: number): void {
    this.#bytes += name.length + value.length;
    if (++this.#count > this.#limits.headerCountMax) this.fail(BAD_MESSAGE.tooManyHeaders);
    else if (this.#bytes > this.#limits.headBytesMax) this.fail(BAD_MESSAGE.headTooLarge);
    if (this.error !== undefined) return;
    if (kind >= FIELD.method) {
      if (this.#hasRegular || !this.onPseudo(value, kind)) this.fail(BAD_MESSAGE.field);
      return;
    }
    this.#hasRegular = true;
    if (kind === FIELD.plain) this.head.headers.add(name, value);
    else this.#onKnown(name, value, kind);
  }

  /** False where it stands there already. */
  protected abstract onPseudo(value: string, kind: number): boolean;

  /** A header of requests only. */
  protected onRequestField(name: string, value: string, _kind: number): void {
    this.head.headers.add(name, value);
  }

  protected fail(error: BadMessage): void {
    this.error ??= error;
  }

  #onKnown(name: string, value: string, kind: number): void {
    const { head } = this;
    switch (kind) {
      case FIELD.malformed:
        return this.fail(BAD_MESSAGE.field);
      case FIELD.contentLength:
        if (head.contentLength !== -1) return this.fail(BAD_MESSAGE.field);
        head.contentLength = parseContentLength(value);
        head.headers.add(name, value);
        return;
      case FIELD.cookie:
        return this.#onCookie(head.headers, name, value);
      case FIELD.underscore:
        if (this.#limits.underscores === "drop") {
          this.#counters.dropped_headers_with_underscores++;
        } else {
          this.#counters.requests_rejected_with_underscores_in_headers++;
          this.fail(BAD_MESSAGE.underscore);
        }
        return;
      default:
        this.onRequestField(name, value, kind);
    }
  }

  /** Crumbs are one header again (RFC 9113 8.2.3). */
  #onCookie(headers: HeaderList, name: string, value: string): void {
    if (this.#cookieAt === -1) {
      this.#cookieAt = headers.end;
      headers.add(name, value);
      return;
    }
    const at = this.#cookieAt + 1;
    headers.entries[at] = `${headers.entries[at]}; ${value}`;
  }
}

/** Takes requests. */
export class RequestFields extends MessageFields<RequestHead> {
  #pseudo = 0;
  #protocol = "";
  /** `:scheme`, in lower case. */
  scheme = "";

  begin(head: RequestHead): this {
    head.reset();
    this.restart(head);
    this.#pseudo = 0;
    this.#protocol = "";
    this.scheme = "";
    return this;
  }

  /**
   * What is wrong with the request; else its head is complete, and an extended CONNECT
   * (RFC 8441) has become the upgrade that HTTP/1.1 knows, as it is for Envoy.
   */
  end(allowsConnect: boolean): BadMessage | undefined {
    if (this.error !== undefined) return this.error;
    const { head } = this;
    const pseudo = this.#pseudo;
    if ((pseudo & PSEUDO_METHOD) === 0) return BAD_MESSAGE.rule;
    if (!head.hasHost) return BAD_MESSAGE.rule;
    const hasTarget = PSEUDO_PATH | PSEUDO_SCHEME;
    if (head.method === "CONNECT" && (pseudo & PSEUDO_PROTOCOL) === 0) {
      return (pseudo & hasTarget) === 0 ? undefined : BAD_MESSAGE.rule;
    }
    if ((pseudo & hasTarget) !== hasTarget) return BAD_MESSAGE.rule;
    const isAsterisk = head.path === "*" && head.method === "OPTIONS";
    if (head.path.charCodeAt(0) !== 47 && !isAsterisk) return BAD_MESSAGE.rule;
    if ((pseudo & PSEUDO_PROTOCOL) === 0) return undefined;
    if (head.method !== "CONNECT" || !allowsConnect) return BAD_MESSAGE.rule;
    head.method = "GET";
    head.upgrade = this.#protocol;
    head.connection = "upgrade";
    return undefined;
  }

  protected override onPseudo(value: string, kind: number): boolean {
    const { head } = this;
    let bit: number;
    switch (kind) {
      case FIELD.method:
        bit = PSEUDO_METHOD;
        head.method = value;
        break;
      case FIELD.path:
        bit = PSEUDO_PATH;
        head.path = value;
        break;
      case FIELD.scheme:
        bit = PSEUDO_SCHEME;
        this.scheme = value;
        break;
      case FIELD.authority:
        bit = PSEUDO_AUTHORITY;
        head.authority = value;
        head.hasHost = true;
        break;
      default:
        bit = PSEUDO_PROTOCOL;
        this.#protocol = value;
    }
    if ((this.#pseudo & bit) !== 0) return false;
    this.#pseudo |= bit;
    return true;
  }

  protected override onRequestField(name: string, value: string, kind: number): void {
    const { head } = this;
    switch (kind) {
      case FIELD.host:
        // `:authority` says the same, and counts (RFC 9113 8.3.1).
        if ((this.#pseudo & PSEUDO_AUTHORITY) !== 0) return;
        if (head.hasHost) return this.fail(BAD_MESSAGE.field);
        head.hasHost = true;
        head.authority = value;
        return;
      case FIELD.expect:
        if (value.toLowerCase() === "100-continue") head.expectsContinue = true;
        else head.headers.add(name, value);
        return;
      case FIELD.internal:
        head.hasInternalHeaders = true;
        break;
      case HEADER.te:
        head.headers.set(name, value);
        return;
      default:
    }
    head.headers.add(name, value);
  }
}

/** Takes responses. */
export class ResponseFields extends MessageFields<ResponseHead> {
  begin(head: ResponseHead): this {
    head.reset();
    this.restart(head);
    return this;
  }

  end(): BadMessage | undefined {
    if (this.error !== undefined) return this.error;
    return this.head.status === 0 ? BAD_MESSAGE.rule : undefined;
  }

  protected override onPseudo(value: string, kind: number): boolean {
    if (kind !== FIELD.status || this.head.status !== 0) return false;
    this.head.status = Number(value);
    return true;
  }
}

/** Takes trailers, which have no pseudo headers and whose names mean nothing. */
export class TrailerFields extends MessageFields<MessageHead> {
  begin(head: MessageHead): this {
    head.resetFields();
    this.restart(head);
    return this;
  }

  end(): BadMessage | undefined {
    return this.error;
  }

  protected override onPseudo(): boolean {
    return false;
  }
}
