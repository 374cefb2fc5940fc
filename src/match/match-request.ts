import type { ConnectionInfo, PeerAddress } from "./connection-info.ts";
import type { FilterStateObject } from "./filter-state.ts";
import type { RuntimeReader } from "./runtime-reader.ts";

/** A value of dynamic metadata, as JSON has it. */
export type MetadataValue =
  | null
  | boolean
  | number
  | string
  | readonly MetadataValue[]
  | { readonly [key: string]: MetadataValue };

/** What the matchers look at of a request. The proxy's own request is one; so is a test's object. */
export interface MatchRequest {
  readonly method: string;
  /** Path and query; "" for a CONNECT and where there is no request at all. */
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly headers: MatchHeaders;
  readonly connection: ConnectionInfo;
  /** The client, as far as it can be trusted: what `x-forwarded-for` says may count. */
  readonly remote: PeerAddress;
  readonly runtime: RuntimeReader;
  /** What filters noted under a filter's name; `undefined` when nothing. */
  dynamicMetadata(filter: string): { readonly [key: string]: MetadataValue } | undefined;
  /** An object of the filter state; `undefined` when there is none. */
  filterState(key: string): FilterStateObject | undefined;
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
