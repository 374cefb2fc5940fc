import type { Clock } from "../../base/clock.ts";
import { plainRequest } from "../../match/plain-request.ts";
import { NO_BYTES, type StreamInfo } from "../../match/stream-info.ts";
import { wireText } from "../../match/wire-text.ts";
import type { Host } from "../cluster/host.ts";
import { applyMutations } from "../http/header-mutation.ts";
import { RequestHead } from "../http/message-head.ts";
import { encodeRequestHead } from "../http1/encode-request.ts";
import type { HttpCheckConfig } from "./health-config.ts";

/** The request of one check as it goes over the wire in HTTP/1.1. */
export function checkRequest(host: Host, check: HttpCheckConfig, clock: Clock): Buffer {
  const head = checkHead(host, check, clock, "HTTP/1.1");
  const text = encodeRequestHead(head, checkScheme(host), host.load.config.connection);
  return Buffer.concat([Buffer.from(text, "latin1"), check.send]);
}

/** What a host is asked over: `https` where its transport is TLS. */
export function checkScheme({ load, state }: Host): "http" | "https" {
  return load.transports?.for(state.metadata) === undefined ? "http" : "https";
}

/** The head of the request of one check. */
export function checkHead(
  host: Host,
  check: HttpCheckConfig,
  clock: Clock,
  protocol: CheckProtocol,
): RequestHead {
  const { load, state } = host;
  const head = new RequestHead();
  head.method = check.method;
  head.path = wireText(check.path);
  const authority = state.healthCheck?.hostname || check.authority || load.config.name;
  head.authority = wireText(authority);
  head.headers.add("user-agent", "Envoy/HC");
  if (check.headers !== undefined) {
    applyMutations([check.headers], head.headers, checkStreamInfo(host, clock, protocol));
  }
  head.headers.remove("transfer-encoding");
  head.headers.remove("content-length");
  if (check.send.length > 0) {
    head.contentLength = check.send.length;
    head.headers.add("content-length", String(check.send.length));
  }
  return head;
}

/** What a check is said in. */
type CheckProtocol = "HTTP/1.1" | "HTTP/2";

const LOOPBACK = { address: "127.0.0.1", port: 0 };

/** A check as the operators of header values read it: it has no client and no answer. */
export function checkStreamInfo(host: Host, clock: Clock, protocol: CheckProtocol): StreamInfo {
  const nowMs = clock.nowMs();
  const { config } = host.load;
  return {
    ...plainRequest({ connection: { remote: LOOPBACK, local: LOOPBACK } }),
    logType: "NotSet",
    protocol,
    status: 0,
    details: "",
    terminationDetails: "",
    flag: "",
    hasRoute: false,
    routeName: "",
    virtualHostName: undefined,
    node: { id: "", cluster: "", zone: "" },
    localReplyBody: "",
    streamId: undefined,
    traceId: undefined,
    spanId: undefined,
    uniqueId: "",
    startMs: nowMs,
    nowMs,
    bytesReceived: 0,
    bytesSent: 0,
    wire: NO_BYTES,
    requestHeadersBytes: 0,
    responseHeadersBytes: 0,
    responseTrailersBytes: 0,
    upstream: {
      cluster: undefined,
      clusterAlias: undefined,
      host: host.key,
      hostName: host.state.hostname || host.key,
      localAddress: undefined,
      remoteAddress: undefined,
      protocol: undefined,
      attempts: 0,
      transportFailure: "",
      tls: undefined,
      wasTried: false,
      connectionId: undefined,
      poolReadyMs: -1,
      wire: NO_BYTES,
      locality: host.state.locality,
      endpoints: undefined,
    },
    durationMs: -1,
    timeMs: () => -1,
    requestHeader: () => undefined,
    responseHeader: () => undefined,
    responseTrailer: () => undefined,
    headerNames: () => [],
    metadata: (kind, namespace) => {
      if (kind === "UPSTREAM_HOST") return host.state.metadata[namespace];
      return kind === "CLUSTER" ? config.metadata[namespace] : undefined;
    },
  };
}
