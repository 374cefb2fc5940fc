/** What an access log may say of one request or connection. */
export interface LogEntry {
  readonly startMs: number;
  readonly durationMs: number;
  readonly method: string;
  readonly path: string;
  readonly protocol: string;
  readonly status: number;
  readonly flag: string;
  readonly details: string;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** `undefined` where no host was chosen. */
  readonly upstreamHost: string | undefined;
  readonly upstreamCluster: string | undefined;
  readonly routeName: string;
  readonly downstreamAddress: string;
  readonly localAddress: string;
  readonly attempts: number;
  /** Names in lower case; also `:authority` and `:path`. */
  readonly requestHeader: (name: string) => string | undefined;
  readonly responseHeader: (name: string) => string | undefined;
}

/** One configured log: takes an entry, keeps nothing of it. */
export interface AccessLog {
  log(entry: LogEntry): void;
}
