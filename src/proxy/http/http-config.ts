import type { RouteConfig } from "../../match/route-config.ts";
import type { AccessLog, AccessLogConfig } from "../access-log/access-log.ts";
import type { NameFormat } from "../http1/header-case.ts";
import type { HeadLimits } from "../http1/parse-head.ts";
import type { Http2Options } from "../http2/http2-options.ts";
import type { OnDemandHosts } from "../on-demand-hosts.ts";
import type { AttemptLogMoments } from "../router/attempt-log.ts";
import type { HttpStats } from "../stats/http-stats.ts";
import type { HttpTracing, TracingConfig } from "../tracing/http-tracing.ts";
import type { ClientAddressOptions } from "./client-address.ts";
import type { ClientCertWriter } from "./client-cert-header.ts";
import type { HttpFilterConfig, OpenFilter } from "./http-filter.ts";
import type { LocalReplyConfig } from "./local-reply-config.ts";
import type { TargetPreparer } from "./request-target.ts";
import type { LogMoments } from "./stream-log.ts";

/** Where a connection manager has its routes from; `current` changes when an update comes. */
export interface RouteSource {
  /** `undefined` until the first one came. */
  readonly current: RouteConfig | undefined;
  /** Where virtual hosts are asked for that are not in it; `undefined` when nowhere. */
  readonly onDemand?: OnDemandHosts | undefined;
}

/** What to do with the `server` header of a response. */
export type ServerHeader = "overwrite" | "append_if_absent" | "pass_through";

/** An HTTP connection manager, decoded and checked. */
export interface HttpConfig {
  readonly statPrefix: string;
  /** The RDS name; "" when the routes stand in the listener. */
  readonly rdsName: string;
  readonly inlineRoutes: RouteConfig | undefined;
  readonly serverName: string;
  readonly serverHeader: ServerHeader;
  readonly generatesRequestId: boolean;
  readonly keepsRequestId: boolean;
  readonly returnsRequestId: boolean;
  readonly client: ClientAddressOptions;
  /** Put right before anything else; `undefined` when paths and hosts stay as they come. */
  readonly prepareTarget: TargetPreparer | undefined;
  /** The stream's scheme, whatever the connection is; "" leaves it to that. */
  readonly scheme: "" | "http" | "https";
  /** What this proxy calls itself in `via`; "" for nothing. */
  readonly via: string;
  readonly writeClientCert: ClientCertWriter;
  /** Whether the upstream decides if a client goes on with its body. */
  readonly proxies100Continue: boolean;
  /** Values of `Upgrade` that are let through, in lower case. */
  readonly upgrades: ReadonlySet<string>;
  readonly limits: HeadLimits;
  /** Whether trailers go through in both directions; else they are dropped. */
  readonly passesTrailers: boolean;
  /** How names of headers to clients are written; `undefined` for lower case. */
  readonly nameFormat: NameFormat | undefined;
  /** What clients speak; `AUTO` leaves it to them: by ALPN, or by how they begin. */
  readonly codec: "AUTO" | "HTTP1" | "HTTP2";
  readonly http2: Http2Options;
  /** How long a connection of HTTP/2 that is to end still takes streams, at most. */
  readonly drainTimeoutMs: number;
  /** Of a connection without requests; 0 is none. */
  readonly idleTimeoutMs: number;
  /** Of a request during which nothing moves; 0 is none. */
  readonly streamIdleTimeoutMs: number;
  /** From a request's head to the end of its response; 0 is no limit. */
  readonly streamDurationMsMax: number;
  /** From a request's head to its end; 0 is none. */
  readonly requestTimeoutMs: number;
  /** A connection takes no more requests after so many, or so long; 0 is no limit. */
  readonly requestsMax: number;
  readonly connectionDurationMsMax: number;
  /** From the first byte of a request's head to its last; 0 is none. */
  readonly headTimeoutMs: number;
  /** How long a connection that is closed is left to the client to close. */
  readonly delayedCloseMs: number;
  /** In their order; the router, which ends them, is not among them. */
  readonly filters: readonly HttpFilterConfig[];
  /** Whether the router leaves out the headers that it adds for Envoy's sake. */
  readonly suppressesEnvoyHeaders: boolean;
  readonly accessLogs: readonly AccessLogConfig[];
  /** `undefined`: entries are written at the end of a stream only. */
  readonly logMoments: LogMoments | undefined;
  /** The router's own, an entry for each attempt. */
  readonly attemptLogs: readonly AccessLogConfig[];
  readonly attemptLogMoments: AttemptLogMoments;
  /** `undefined`: nothing is traced. */
  readonly tracing: TracingConfig | undefined;
  /** `undefined`: answers of our own are left as they are. */
  readonly localReplies: LocalReplyConfig | undefined;
}

/** A connection manager at run time. */
export interface HttpService {
  readonly config: HttpConfig;
  readonly routes: RouteSource;
  readonly stats: HttpStats;
  readonly filters: readonly OpenFilter[];
  readonly accessLogs: readonly AccessLog[];
  readonly attemptLogs: readonly AccessLog[];
  /** Whether anybody wants to know when what happened to a request. */
  readonly keepsTimes: boolean;
  /** How much of a response is kept while a filter holds its head, in HTTP/1.1. */
  readonly bufferBytesMax: number;
  /** `undefined` where nothing is traced. */
  readonly tracing: HttpTracing | undefined;
  /**
   * Whether the response that is being sent is the last of its connection, because the listener or
   * the process is going. Asked once for each response: while it drains, chance says.
   */
  readonly isDraining: boolean;
  /** The process ends: connections go as soon as they are idle. */
  readonly isEnding: boolean;
}
