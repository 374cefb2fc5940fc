import type { HeaderMutations } from "../../match/header-mutations.ts";
import type { StringPredicate } from "../../match/string-match.ts";
import type { Metadata } from "../cluster/cluster-config.ts";

/** How the hosts of a cluster are checked, decoded; times in milliseconds. */
export interface HealthCheckConfig {
  readonly check: HttpCheckConfig | TcpCheckConfig | GrpcCheckConfig;
  /** How long one check may take. */
  readonly timeoutMs: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  readonly intervals: IntervalConfig;
  readonly reusesConnection: boolean;
  /** Files that events are written to. */
  readonly eventLogPaths: readonly string[];
  readonly logsFailures: boolean;
  readonly logsSuccesses: boolean;
  /** Offered in place of what the transport offers; empty for that. */
  readonly alpn: readonly string[];
  /** What transports are chosen by in place of the host's metadata; `undefined` for that. */
  readonly transportMetadata: Metadata | undefined;
}

/** How long it is from the end of one check to the next. */
export interface IntervalConfig {
  readonly intervalMs: number;
  /** At most so much is waited before the first check. */
  readonly initialJitterMs: number;
  readonly jitterMs: number;
  readonly jitterPercent: number;
  /** While the cluster has never had a connection. */
  readonly noTrafficMs: number;
  readonly noTrafficHealthyMs: number;
  readonly unhealthyMs: number;
  /** While the threshold to the other state has not been reached. */
  readonly unhealthyEdgeMs: number;
  readonly healthyEdgeMs: number;
}

/** The statuses from `start` to before `end`. */
export interface StatusRange {
  readonly start: number;
  readonly end: number;
}

/** A request whose answer says how a host does. */
export interface HttpCheckConfig {
  readonly kind: "HTTP";
  readonly isHttp2: boolean;
  readonly method: string;
  readonly path: string;
  /** "": the cluster's name. */
  readonly authority: string;
  /** The body; empty for none. */
  readonly send: Buffer;
  /** What the body must have, in order; empty for anything. */
  readonly receive: readonly Buffer[];
  /** So much of the body is looked at; 0 is all. */
  readonly bodyBytesMax: number;
  readonly headers: HeaderMutations | undefined;
  readonly expected: readonly StatusRange[];
  /** Statuses that count towards the threshold; others are a failure at once. */
  readonly retriable: readonly StatusRange[];
  /** What the host must call itself; `undefined` for anything. */
  readonly serviceName: StringPredicate | undefined;
}

/** A call of `grpc.health.v1.Health.Check`. */
export interface GrpcCheckConfig {
  readonly kind: "GRPC";
  /** "": the server as a whole. */
  readonly serviceName: string;
  /** "": the cluster's name. */
  readonly authority: string;
  readonly headers: HeaderMutations | undefined;
}

/** A connection, and what is said over it. */
export interface TcpCheckConfig {
  readonly kind: "TCP";
  /** The PROXY protocol's header that each check begins with. */
  readonly proxyHeader: "V1" | "V2" | undefined;
  readonly send: Buffer;
  /** What must come, in order; empty when a connection is enough. */
  readonly receive: readonly Buffer[];
}
