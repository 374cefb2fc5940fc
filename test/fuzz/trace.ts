/** One message as a parser understood it. Latin-1 throughout. */
export interface TracedMessage {
  /** `METHOD target` of a request, the status of a response. */
  readonly first: string;
  /** `name: value`, names in lower case, in order. */
  readonly headers: readonly string[];
  body: string;
  /** Its end has come. */
  isWhole: boolean;
}

/** What a parser made of a stream of bytes. */
export interface Trace {
  readonly messages: TracedMessage[];
  /**
   * `open`: it waits for more; `over`: a message ended the connection's HTTP, what follows is not
   * looked at; otherwise why the bytes were refused.
   */
  end: string;
}
