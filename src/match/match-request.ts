/** What the matchers look at of a request. The proxy's own request is one; so is a test's object. */
export interface MatchRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly headers: MatchHeaders;
}

/** Headers by their names in lower case. */
export interface MatchHeaders {
  has(name: string): boolean;
  /**
   * Whether one of the values of a header passes the test; `undefined` when there is no such
   * header. A repeated header is looked at value by value, as Envoy does.
   */
  some(name: string, test: (value: string) => boolean): boolean | undefined;
}

/** Told why something was passed over; without one nothing is collected. */
export interface MatchRecorder {
  /** `what` names the virtual host or route, `why` the criterion that did not match. */
  lost(what: string, why: string): void;
}
