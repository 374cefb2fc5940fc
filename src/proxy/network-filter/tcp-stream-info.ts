import type { PeerAddress, TlsInfo } from "../../match/connection-info.ts";
import { plainRequest } from "../../match/plain-request.ts";
import {
  NO_BYTES,
  type StreamInfo,
  type TimePoint,
  type UpstreamInfo,
} from "../../match/stream-info.ts";
import type { Host } from "../cluster/host.ts";
import type { ProxyContext } from "../context.ts";
import type { AcceptedConnection } from "../listener/accepted-connection.ts";

/** When an entry is written, by Envoy's names. */
export type TcpLogType = "NotSet" | "TcpConnectionEnd" | "TcpPeriodic" | "TcpUpstreamConnected";

/** What a TCP connection was until now. */
export interface TcpSummary {
  readonly logType: TcpLogType;
  readonly connection: AcceptedConnection;
  readonly context: ProxyContext;
  readonly startMs: number;
  readonly wallMs: number;
  readonly flag: string;
  /** Why the proxy ended it by itself; "" where that is not told. */
  readonly details?: string;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly cluster: string;
  readonly attempts: number;
  /** The last attempt; `undefined` when there was none. */
  readonly upstream: TcpUpstreamSummary | undefined;
}

/** One connection to a host. */
export interface TcpUpstreamSummary {
  readonly host: Host;
  readonly id: number;
  /** `undefined` when it was never made. */
  readonly localAddress: PeerAddress | undefined;
  readonly remoteAddress: PeerAddress | undefined;
  readonly tls: TlsInfo | undefined;
  readonly connectStartMs: number;
  /** -1 when it was never made. */
  readonly connectedMs: number;
  /** Why it could not be made; "" where it was, or took too long. */
  readonly transportFailure: string;
}

/** A connection as its listener's logs read it, where no filter says more. */
export function connectionStreamInfo(
  connection: AcceptedConnection,
  context: ProxyContext,
): StreamInfo {
  const { socket, transportFailure } = connection;
  // Bytes of a handshake are none of the connection's.
  const isOpen = transportFailure === "" && connection.flag !== "NR";
  const info = tcpStreamInfo({
    logType: "NotSet",
    connection,
    context,
    startMs: connection.acceptedMs,
    wallMs: connection.acceptedWallMs,
    flag: connection.flag,
    details: connection.details,
    bytesReceived: isOpen ? socket.bytesRead : 0,
    bytesSent: isOpen ? socket.bytesWritten : 0,
    cluster: "",
    attempts: 0,
    upstream: undefined,
  });
  // Those of streams are none of the connection's either.
  const protocol = connection.protocol || undefined;
  return { ...info, protocol, wire: NO_BYTES, streamId: undefined, timeMs: () => -1 };
}

/** A TCP connection as access logs read it. */
export function tcpStreamInfo(summary: TcpSummary): StreamInfo {
  const { connection, context, upstream, startMs } = summary;
  const endMs = context.clock.monotonicMs();
  const host = upstream?.host;
  const isEnd = summary.logType === "TcpConnectionEnd" || summary.logType === "NotSet";
  const times: Readonly<Partial<Record<TimePoint, number>>> = {
    DS_CX_BEG: startMs,
    DS_CX_END: endMs,
    US_CX_BEG: upstream?.connectStartMs ?? -1,
    US_CX_END: upstream?.connectedMs ?? -1,
  };
  return {
    ...plainRequest({ runtime: context.runtime }),
    connection,
    remote: connection.remote,
    logType: summary.logType,
    protocol: undefined,
    status: 0,
    details: summary.details ?? "",
    terminationDetails: connection.terminationDetails,
    flag: summary.flag,
    hasRoute: false,
    routeName: "",
    virtualHostName: undefined,
    node: context.node,
    localReplyBody: "",
    streamId: context.createRequestId(),
    traceId: undefined,
    spanId: undefined,
    get uniqueId() {
      return context.createRequestId();
    },
    startMs: summary.wallMs,
    nowMs: context.clock.nowMs(),
    bytesReceived: summary.bytesReceived,
    bytesSent: summary.bytesSent,
    wire: {
      ...NO_BYTES,
      received: summary.bytesReceived,
      sent: summary.bytesSent,
    },
    requestHeadersBytes: 0,
    responseHeadersBytes: 0,
    responseTrailersBytes: 0,
    upstream: upstreamInfo(summary),
    durationMs: isEnd ? endMs - startMs : -1,
    timeMs: (point) => times[point] ?? -1,
    requestHeader: () => undefined,
    responseHeader: () => undefined,
    responseTrailer: () => undefined,
    headerNames: () => [],
    metadata: (kind, namespace) => {
      if (kind === "LISTENER") return connection.listener?.metadata[namespace];
      if (kind === "LISTENER_FILTER_CHAIN") return connection.listener?.chainMetadata[namespace];
      if (kind === "UPSTREAM_HOST") return host?.state.metadata[namespace];
      return kind === "CLUSTER" ? host?.load.config?.metadata[namespace] : undefined;
    },
  };
}

function upstreamInfo({ upstream, cluster, attempts, ...summary }: TcpSummary): UpstreamInfo {
  const host = upstream?.host;
  const info = {
    cluster: cluster || undefined,
    clusterAlias: host === undefined ? cluster || undefined : host.load.config.alias,
    host: host?.key,
    hostName: host && (host.state.hostname || host.key),
    localAddress: upstream?.localAddress,
    remoteAddress: upstream?.remoteAddress,
    protocol: undefined,
    attempts,
    transportFailure: upstream?.transportFailure ?? "",
    tls: upstream?.tls,
    wasTried: host !== undefined,
    locality: host?.state.locality,
    endpoints: cluster === "" ? undefined : summary.context.findCluster(cluster)?.hosts.length,
  };
  if (upstream === undefined) {
    return { ...info, connectionId: undefined, poolReadyMs: -1, wire: NO_BYTES };
  }
  const { id, connectStartMs, connectedMs } = upstream;
  return {
    ...info,
    connectionId: connectedMs < 0 ? undefined : id,
    poolReadyMs: Math.max(0, connectedMs - connectStartMs),
    // What comes from one side goes to the other.
    wire: { ...NO_BYTES, received: summary.bytesSent, sent: summary.bytesReceived },
  };
}
