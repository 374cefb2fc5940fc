import { OutlierRecord } from "../health/outlier-record.ts";
import { shareOfThresholds } from "../process/share.ts";
import { Histogram } from "../stats/histogram.ts";
import type { Http2Counters } from "../stats/http2-stats.ts";
import { Breakers } from "./breakers.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import type { ClusterTransports } from "./cluster-transports.ts";
import type { Host } from "./host.ts";

/** What one cluster has in use, and what it counted, by Envoy's names. */
export class ClusterLoad {
  readonly config: ClusterConfig;
  /** By priority. */
  readonly breakers: readonly [Breakers, Breakers];
  /** What hosts are connected over; `undefined` is plain text. */
  readonly transports: ClusterTransports | undefined;

  /** Who will be chosen after the next request; only where its hosts are connected to ahead. */
  peekHost: (() => Host | undefined) | undefined = undefined;

  /** Connections: `upstream_cx_…`. */
  connectionsTotal = 0;
  http1ConnectionsTotal = 0;
  http2ConnectionsTotal = 0;
  /** Peers that said that they would close. */
  closeNotifies = 0;
  connectionsOverflow = 0;
  connectFails = 0;
  connectTimeouts = 0;
  /** TCP connections of clients that had all the attempts they may have. */
  connectAttemptsExceeded = 0;
  connectionsIdleTimeout = 0;
  connectionsMaxRequests = 0;
  connectionsMaxDuration = 0;
  connectionsDestroyed = 0;
  connectionsDestroyedLocal = 0;
  connectionsDestroyedRemote = 0;
  connectionsDestroyedWithRequest = 0;
  connectionsDestroyedLocalWithRequest = 0;
  connectionsDestroyedRemoteWithRequest = 0;
  connectionProtocolErrors = 0;
  /** `upstream_cx_rx_bytes_total`, and `…_tx_…` of requests that have ended. */
  bytesReceived = 0;
  bytesSent = 0;
  /** `upstream_cx_none_healthy`: there was no host to send to. */
  noneHealthy = 0;

  /** Of connections of HTTP/2; `undefined` until there was one. */
  http2: Http2Counters | undefined = undefined;

  /** Requests: `upstream_rq_…`. */
  requestsTotal = 0;
  requestTimeouts = 0;
  perTryTimeouts = 0;
  perTryIdleTimeouts = 0;
  requestsMaxDuration = 0;
  /** Refused for their number. */
  requestsOverflow = 0;
  /** Given up while they waited for a connection. */
  requestsCancelled = 0;
  /** Streams of HTTP/2 that were broken off, by this side (`…_tx_reset`) and by the peer. */
  requestsReset = 0;
  requestsResetByPeer = 0;
  retriesTotal = 0;
  retriesSucceeded = 0;
  retriesOverflow = 0;
  retriesExhausted = 0;
  /** By how the wait was found: `…_backoff_exponential`, `…_backoff_ratelimited`. */
  retriesBackedOff = 0;
  retriesRateLimited = 0;
  pendingTotal = 0;
  pendingOverflow = 0;
  pendingFailures = 0;
  /** `upstream_internal_redirect_…_total`. */
  redirectsFollowed = 0;
  redirectsFailed = 0;
  /** Responses by their status, those that the proxy gave in the cluster's stead too. */
  readonly responses: Record<number, number> = {};
  /** Those that nobody got because the request was tried again. */
  readonly retriedResponses: Record<number, number> = {};

  /** `upstream_rq_time`, `upstream_cx_connect_ms`, `upstream_cx_length_ms`: in milliseconds. */
  readonly requestTime = new Histogram();
  readonly connectTime = new Histogram();
  readonly connectionLength = new Histogram();

  /** `original_dst_host_invalid`. */
  originalDstInvalid = 0;
  /** `lb_healthy_panic`: choices that did not look at health. */
  panics = 0;
  /** `lb_zone_…`, `lb_recalculate_zone_structures` and `lb_local_cluster_not_ok`. */
  zoneRecalculations = 0;
  zoneLocalNotOk = 0;
  zoneClusterTooSmall = 0;
  zoneNoCapacityLeft = 0;
  zoneAllDirectly = 0;
  zoneSampled = 0;
  zoneCrossZone = 0;
  /** `lb_subsets_…`. */
  subsetsActive = 0;
  subsetsCreated = 0;
  subsetsRemoved = 0;
  subsetsSelected = 0;
  subsetsFallback = 0;
  subsetsFallbackPanic = 0;
  subsetsDuplicates = 0;
  /** Of `ring_hash_lb.…` and `maglev_lb.…`: all places of the last table, and those of one host. */
  hashTable = { size: 0, min: 0, max: 0 };

  /** What outlier detection found; `undefined` where there is none. */
  readonly outlier: OutlierRecord | undefined;

  /** `membership_change`. */
  membershipChanges = 0;
  /** Discovery: `update_…`, of DNS or EDS. */
  updateAttempts = 0;
  updateSuccesses = 0;
  updateFailures = 0;
  updatesRejected = 0;
  updatesEmpty = 0;
  updatesWithoutRebuild = 0;
  firstAnswerTimeouts = 0;
  assignmentTimeouts = 0;
  assignmentsStale = 0;

  /** `processes`: how many share its circuit breakers. */
  constructor(config: ClusterConfig, transports: ClusterTransports | undefined, processes = 1) {
    this.config = config;
    this.transports = transports;
    this.outlier = config.outlier && new OutlierRecord();
    const [normal, high] = config.thresholds;
    this.breakers = [
      new Breakers(shareOfThresholds(normal, processes)),
      new Breakers(shareOfThresholds(high, processes)),
    ];
  }

  /** A retry begins, after a wait that the response asked for or that was drawn. */
  countRetry(isAsked: boolean): void {
    this.retriesTotal++;
    if (isAsked) this.retriesRateLimited++;
    else this.retriesBackedOff++;
  }

  countResponse(status: number, isRetried = false): void {
    const responses = isRetried ? this.retriedResponses : this.responses;
    responses[status] = (responses[status] ?? 0) + 1;
  }

  /** A connection has gone: by whom, and whether a request was under way. */
  countDestroyed(isRemote: boolean, hadRequest: boolean): void {
    this.connectionsDestroyed++;
    if (isRemote) this.connectionsDestroyedRemote++;
    else this.connectionsDestroyedLocal++;
    if (!hadRequest) return;
    this.connectionsDestroyedWithRequest++;
    if (isRemote) this.connectionsDestroyedRemoteWithRequest++;
    else this.connectionsDestroyedLocalWithRequest++;
  }

  /** `upstream_cx_active`. */
  get connections(): number {
    return this.breakers[0].connections + this.breakers[1].connections;
  }

  /** `upstream_rq_pending_active`. */
  get pending(): number {
    return this.breakers[0].pending + this.breakers[1].pending;
  }

  /** `upstream_rq_active`. */
  get requests(): number {
    return this.breakers[0].requests + this.breakers[1].requests;
  }
}
