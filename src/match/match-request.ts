/** What the matchers look at of a request. The proxy's own request is one; so is a test's object. */
export interface MatchRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  /** Names in lower case; a repeated header's values are joined by commas. */
  readonly headers: { get(name: string): string | undefined };
}

/** Told why something was passed over; without one nothing is collected. */
export interface MatchRecorder {
  /** `what` names the virtual host or route, `why` the criterion that did not match. */
  lost(what: string, why: string): void;
}
