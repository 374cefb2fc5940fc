import type { ProxyContext } from "../context.ts";
import { RequestHead } from "../http/message-head.ts";
import { ShadowRequest } from "../router/shadow-request.ts";
import { upstreamNames } from "../router/upstream-names.ts";
import type { ReportOutcome, ReportSender } from "./span-reporter.ts";

/** A collector behind a cluster of the proxy. */
export interface Collector {
  readonly clusterName: string;
  readonly authority: string;
  readonly path: string;
  readonly contentType: string;
  /** name, value, name, value…; they take the place of others. */
  readonly headers: readonly string[];
  /** Whether a report is a gRPC call, in which case the content type says so too. */
  readonly isGrpc: boolean;
  /** What answer means that a report was taken. */
  readonly isTaken: (status: number) => boolean;
  /** 0 is without end. */
  readonly timeoutMs: (context: ProxyContext) => number;
}

/**
 * Sends reports through the cluster's own connections, with its balancer, limits and TLS, as Envoy
 * does. How many are under way is bounded by the cluster's circuit breakers.
 */
export class ClusterSender implements ReportSender {
  readonly #context: ProxyContext;
  readonly #collector: Collector;
  readonly #active = new Set<ShadowRequest>();

  constructor(context: ProxyContext, collector: Collector) {
    this.#context = context;
    this.#collector = collector;
  }

  send(report: Uint8Array, onOutcome: (outcome: ReportOutcome) => void): void {
    const { clusterName, isGrpc, timeoutMs } = this.#collector;
    const cluster = this.#context.findCluster(clusterName);
    if (cluster === undefined) return onOutcome("no_cluster");
    const host = cluster.pick();
    if (host === undefined) {
      cluster.load.noneHealthy++;
      return onOutcome("failed");
    }
    const body = isGrpc ? frame(report) : Buffer.from(report);
    const timeout = timeoutMs(this.#context);
    const head = this.#createHead(body.length, timeout);
    const { names } = host.load.config.connection;
    // It may be over before it is here.
    let request: ShadowRequest | undefined;
    let isOver = false;
    request = new ShadowRequest(this.#context, host, {
      head,
      scheme: "http",
      isGrpc,
      timeoutMs: timeout,
      names: names && upstreamNames(names, head),
      onEnd: (status, grpcStatus) => {
        isOver = true;
        if (request !== undefined) this.#active.delete(request);
        onOutcome(this.#outcome(status, grpcStatus));
      },
    });
    if (isOver) return;
    this.#active.add(request);
    request.sendBytes(body, 0, body.length);
    request.endRequest(undefined);
    request.flush();
  }

  #outcome(status: number, grpcStatus: string | undefined): ReportOutcome {
    if (status === 0) return "failed";
    const { isGrpc, isTaken } = this.#collector;
    if (isGrpc && grpcStatus !== "0") return "refused";
    return isTaken(status) ? "taken" : "refused";
  }

  #createHead(bodyBytes: number, timeoutMs: number): RequestHead {
    const { authority, path, contentType, headers, isGrpc } = this.#collector;
    const head = new RequestHead();
    head.method = "POST";
    head.path = path;
    head.authority = authority;
    head.hasHost = true;
    head.headers.add("content-type", contentType);
    if (isGrpc) head.headers.add("te", "trailers");
    for (let at = 0; at < headers.length; at += 2) {
      head.headers.set(headers[at] ?? "", headers[at + 1] ?? "");
    }
    head.headers.add("x-envoy-internal", "true");
    head.headers.add("x-forwarded-for", this.#context.localAddress);
    if (timeoutMs > 0) head.headers.add("x-envoy-expected-rq-timeout-ms", String(timeoutMs));
    head.headers.set("content-length", String(bodyBytes));
    head.contentLength = bodyBytes;
    return head;
  }

  close(): void {
    for (const request of this.#active) request.destroy();
  }
}

/** A message as gRPC sends it: not compressed, and how long it is. */
function frame(message: Uint8Array): Buffer {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}
