import type { Node } from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { Clock } from "../base/clock.ts";
import { formatIssue, type Issue } from "../base/issue.ts";
import type { Keepalive } from "../base/keepalive.ts";
import type { Prng } from "../base/prng.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import type { XdsSnapshot } from "../xds/snapshot.ts";
import { AdsCall } from "./ads-call.ts";
import { type ClientStatus, statusOf } from "./client-status.ts";
import { DebugCall, type DebugSource, isDebugType } from "./debug-call.ts";
import { DELTA } from "./delta-variant.ts";
import { DepartedClients } from "./departed-clients.ts";
import type { GrpcCall } from "./grpc-call.ts";
import { GrpcMessage } from "./grpc-message.ts";
import { GrpcServer } from "./grpc-server.ts";
import { GRPC_STATUS } from "./grpc-status.ts";
import { NameSets } from "./name-sets.ts";
import type { Published } from "./publish-plan.ts";
import { joinedBodies } from "./selection.ts";
import type { ClientNode, SnapshotSource } from "./snapshot-source.ts";
import { SOTW } from "./sotw-variant.ts";
import { AdsStream } from "./stream.ts";
import { STREAMS_PER_SECOND_DEFAULT, StreamGate } from "./stream-gate.ts";
import type { ClientRequest, Variant } from "./variant.ts";
import { WriteBudget } from "./write-budget.ts";

/** Most clients at a time, when the options do not say. */
export const CLIENTS_MAX_DEFAULT = 5000;

/** Largest request. The largest there is names every cluster of a big mesh. */
const REQUEST_BYTES_MAX = 4 * 1024 * 1024;

/** How long `stop` waits for connections to end by themselves. */
const STOP_MS_MAX = 1000;

/** Over how long streams are ended by `stop`: this for each, and no more than that for all. */
const STOP_SPREAD_MS_EACH = 2;
const STOP_SPREAD_MS_MAX = 300;

/** Most requests that a client may make before it is let in. */
const EARLY_REQUESTS_MAX = 100;

const SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService";

/** The paths of its methods, by the name of their variant. */
export const ADS_PATHS = {
  sotw: `/${SERVICE}/StreamAggregatedResources`,
  delta: `/${SERVICE}/DeltaAggregatedResources`,
} as const;

/** What the server needs. */
export interface AdsServerOptions {
  /** `host:port`; port 0 for any that is free. */
  readonly addr: string;
  readonly source: SnapshotSource;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  /** Names this server in responses and in clients' dumps. */
  readonly controlPlane: string;
  /** Answers tools; without it, their types are unknown ones. */
  readonly debug?: DebugSource;
  readonly clientsMax?: number;
  /** New streams each second, in the long run; see `StreamGate`. */
  readonly streamsPerSecond?: number;
  /** How a peer that is gone without a word is noticed; absent: as istiod does it. */
  readonly keepalive?: Keepalive;
  readonly prng?: Prng;
  /** Over how long `stop` ends the streams, so that not all clients come back at one moment. */
  readonly stopSpreadMs?: number;
}

interface Client {
  readonly id: string;
  readonly node: ClientNode;
  readonly call: AdsCall;
  readonly variant: Variant;
  readonly stream: AdsStream;
  readonly peer: string;
  readonly connectedAtMs: number;
  /** When the push that is under way began. */
  pushedAtMs: number;
}

/** A call, and what it has become so far. */
interface Session {
  readonly call: AdsCall;
  readonly variant: Variant;
  readonly tool: DebugCall | undefined;
  /** What it asked for before it was let in. */
  readonly early: ClientRequest[];
  leaveGate?: () => void;
  client: Client | undefined;
}

/**
 * Serves aggregated discovery over gRPC: one `AdsStream` per call, kept until the call ends.
 * The owner calls `start` once and `stop` once.
 */
export class AdsServer {
  readonly #options: AdsServerOptions;
  readonly #server: GrpcServer;
  readonly #clients = new Map<string, Client>();
  readonly #calls = new Set<AdsCall>();
  readonly #nameSets = new NameSets();
  readonly #gate: StreamGate;
  readonly #budget = new WriteBudget();
  readonly #departed: DepartedClients;
  /** How many clients are connected, by the version that they say. */
  readonly #versions = new Map<string, number>();
  #isStopping = false;
  #port = 0;
  #lastClient = 0;
  #largestRequest = 0;

  constructor(options: AdsServerOptions) {
    this.#options = options;
    const { clock, streamsPerSecond = STREAMS_PER_SECOND_DEFAULT } = options;
    this.#gate = new StreamGate(clock, streamsPerSecond);
    this.#departed = new DepartedClients(clock);
    options.metrics.onCollect(() => {
      options.metrics.set("weft_xds_pending_bytes", this.#budget.bytes);
      options.metrics.set("weft_xds_names_kept", this.#nameSets.kept);
      options.metrics.set("weft_xds_departed_bytes", this.#departed.bytes);
      options.metrics.set("weft_xds_joined_bytes", joinedBodies.bytes);
      options.metrics.set("pilot_xds_recv_max", this.#largestRequest);
      options.metrics.replace("pilot_xds", clientGauge(this.#versions));
    });
    this.#server = new GrpcServer({
      clock,
      messageBytesMax: REQUEST_BYTES_MAX,
      ...(options.keepalive !== undefined && { keepalive: options.keepalive }),
      ...(options.prng !== undefined && { prng: options.prng }),
      methods: new Map([
        [ADS_PATHS.sotw, (call: GrpcCall) => this.#accept(call, SOTW)],
        [ADS_PATHS.delta, (call: GrpcCall) => this.#accept(call, DELTA)],
      ]),
    });
  }

  /** The port that is bound; 0 before `start`. */
  get port(): number {
    return this.#port;
  }

  /** Binds the address; rejects with the system's error when that fails. */
  async start(): Promise<void> {
    this.#port = await this.#server.listen(this.#options.addr);
  }

  /**
   * Tells clients that this server goes (GOAWAY), then ends every stream with `UNAVAILABLE`, one
   * after the other, so that they look for another server at once, but not all at the same moment.
   */
  async stop(): Promise<void> {
    const { clock } = this.#options;
    this.#isStopping = true;
    this.#gate.close();
    const calls = [...this.#calls];
    const defaultMs = Math.min(calls.length * STOP_SPREAD_MS_EACH, STOP_SPREAD_MS_MAX);
    const spreadMs = this.#options.stopSpreadMs ?? defaultMs;
    const timers = calls.map((call, index) =>
      clock.setTimer((index * spreadMs) / calls.length, () => goodbye(call)),
    );
    await this.#server.close(spreadMs + STOP_MS_MAX);
    for (const timer of timers) timer.cancel();
  }

  /** Hands a snapshot to a client; one that is gone is ignored. */
  push(clientId: string, snapshot: XdsSnapshot): void {
    const client = this.#clients.get(clientId);
    if (client === undefined) return;
    if (client.stream.isSettled) client.pushedAtMs = this.#options.clock.monotonicMs();
    client.stream.update(snapshot);
  }

  /** Every connected client, sorted by node id. */
  clients(): readonly ClientStatus[] {
    return [...this.#clients.values()]
      .map(({ id, node, call, variant, peer, connectedAtMs, stream }) => ({
        clientId: id,
        node,
        variant: variant.name,
        peer,
        connectedAtMs,
        sent: call.sent,
        target: stream.target,
        completed: stream.completed,
        isSettled: stream.isSettled,
        heldRoutes: stream.heldRoutes,
        kinds: statusOf(stream),
      }))
      .sort((left, right) => (left.node.id < right.node.id ? -1 : 1));
  }

  /** What a client is offered at this moment; `undefined` when it is not connected. */
  published(clientId: string): Published | undefined {
    return this.#clients.get(clientId)?.stream.published;
  }

  #accept(given: GrpcCall, variant: Variant): void {
    const { clock, metrics, clientsMax = CLIENTS_MAX_DEFAULT } = this.#options;
    const call: AdsCall = new AdsCall(
      given,
      { clock, metrics, budget: this.#budget },
      {
        onRequest: (bytes) => this.#receive(session, bytes),
        onDrained: () => session.client?.stream.drained(),
        onEnd: () => {
          session.leaveGate?.();
          this.#calls.delete(call);
          this.#noteWaiting();
          if (session.client !== undefined) this.#disconnect(session.client);
        },
      },
    );
    // Tools speak state of the world.
    const tool = variant === SOTW ? this.#toolOf(call) : undefined;
    const session: Session = { call, variant, tool, early: [], client: undefined };
    if (this.#isStopping) goodbye(call);
    else if (this.#calls.size >= clientsMax) {
      call.end(GRPC_STATUS.RESOURCE_EXHAUSTED, "limit", `more than ${clientsMax} clients`);
    } else this.#calls.add(call);
  }

  #receive(session: Session, bytes: Buffer): void {
    const { call, variant, tool, early, client } = session;
    this.#largestRequest = Math.max(this.#largestRequest, bytes.length);
    const request = variant.decode(bytes, this.#nameSets);
    if (!request.ok) this.#refuse(call, "message", request.issues);
    else if (tool !== undefined && isDebugType(request.value.typeUrl)) tool.receive(bytes);
    else if (client !== undefined) client.stream.receive(request.value);
    else if (early.push(request.value) > EARLY_REQUESTS_MAX) {
      const text = "too many requests before the first answer";
      call.end(GRPC_STATUS.RESOURCE_EXHAUSTED, "requests", text);
    } else if (session.leaveGate === undefined) {
      session.leaveGate = this.#gate.enter(
        () => this.#admit(session),
        () => call.end(GRPC_STATUS.UNAVAILABLE, "rate", "too many new streams: come back later"),
      );
      this.#noteWaiting();
    }
  }

  #admit(session: Session): void {
    const { call, variant, early } = session;
    const [first] = early;
    this.#noteWaiting();
    if (first === undefined) return;
    const client = this.#connect(call, variant, first);
    session.client = client;
    for (const request of early) client?.stream.receive(request);
    early.length = 0;
  }

  #noteWaiting(): void {
    this.#options.metrics.set("weft_xds_streams_waiting", this.#gate.waiting);
  }

  #toolOf(call: AdsCall): DebugCall | undefined {
    const { debug } = this.#options;
    if (debug === undefined) return undefined;
    return new DebugCall(debug, {
      peer: call.peer,
      write: (bytes) => {
        if (this.#calls.has(call)) call.write(new GrpcMessage([bytes]));
      },
      refuse: (text) => call.end(GRPC_STATUS.FAILED_PRECONDITION, "tool", text),
    });
  }

  #connect(call: AdsCall, variant: Variant, request: ClientRequest): Client | undefined {
    const { source, clock, log, metrics, controlPlane } = this.#options;
    const said = request.node();
    if (!said.ok) {
      this.#refuse(call, "message", said.issues);
      return undefined;
    }
    const node = nodeOf(said.value, variant);
    this.#lastClient += 1;
    const id = `${node.id}-${this.#lastClient}`;
    const snapshot = source.connect(id, node);
    if (!snapshot.ok) {
      const reason = snapshot.issues.map(formatIssue).join("; ");
      log.warn("stream refused", { node: node.id, reason });
      this.#refuse(call, "node", snapshot.issues);
      return undefined;
    }
    const client: Client = {
      id,
      node,
      call,
      variant,
      peer: call.peer,
      connectedAtMs: clock.nowMs(),
      pushedAtMs: clock.monotonicMs(),
      stream: new AdsStream(
        {
          clientId: id,
          variant,
          controlPlane,
          clock,
          log,
          metrics,
          sink: call,
          want: (kind, names) => source.want(id, kind, names),
          onBroken: (error) => this.#breakOff(call, id, error),
          onSettled: () => this.#noteConvergence(client),
        },
        snapshot.value,
        request.isReturning ? { held: this.#departed.take(node.id) } : undefined,
      ),
    };
    this.#clients.set(id, client);
    this.#countVersion(node, 1);
    const { peer } = call;
    log.info("client connected", {
      client: id,
      variant: variant.name,
      agent: node.userAgent,
      peer,
    });
    return client;
  }

  #refuse(call: AdsCall, reason: string, issues: readonly Issue[]): void {
    call.end(GRPC_STATUS.INVALID_ARGUMENT, reason, issues.map(formatIssue).join("; "));
  }

  #disconnect(client: Client): void {
    if (!this.#clients.delete(client.id)) return;
    const { source, metrics, log } = this.#options;
    this.#departed.keep(client.node.id, client.stream.heldState);
    client.stream.close();
    source.disconnect(client.id);
    this.#countVersion(client.node, -1);
    metrics.set("weft_xds_departed", this.#departed.size);
    log.info("client gone", { client: client.id });
  }

  #countVersion({ metadata }: ClientNode, by: number): void {
    const { ISTIO_VERSION: said } = metadata;
    const version = typeof said === "string" ? said : "";
    const count = (this.#versions.get(version) ?? 0) + by;
    if (count === 0) this.#versions.delete(version);
    else this.#versions.set(version, count);
  }

  #breakOff(call: AdsCall, clientId: string, error: unknown): void {
    this.#options.metrics.add("pilot_total_xds_internal_errors");
    this.#options.log.error("stream ended by a bug", {
      client: clientId,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    call.end(GRPC_STATUS.INTERNAL, "bug", "internal error");
  }

  #noteConvergence(client: Client): void {
    const seconds = (this.#options.clock.monotonicMs() - client.pushedAtMs) / 1000;
    this.#options.metrics.observe("pilot_proxy_convergence_time", seconds);
  }
}

/** By version; where nobody is connected one series says so. */
function clientGauge(
  versions: ReadonlyMap<string, number>,
): readonly (readonly [{ readonly version: string }, number])[] {
  if (versions.size === 0) return [[{ version: "" }, 0]];
  return [...versions].map(([version, count]) => [{ version }, count] as const);
}

function nodeOf(node: Node | undefined, { name: variant }: Variant): ClientNode {
  const version =
    node?.userAgentVersionType.case === "userAgentBuildVersion"
      ? node.userAgentVersionType.value.version
      : undefined;
  const number =
    version === undefined ? "" : ` ${version.majorNumber}.${version.minorNumber}.${version.patch}`;
  return {
    id: node?.id ?? "",
    cluster: node?.cluster ?? "",
    metadata: node?.metadata ?? {},
    userAgent: `${node?.userAgentName ?? ""}${number}`.trim(),
    variant,
  };
}

function goodbye(call: AdsCall): void {
  call.end(GRPC_STATUS.UNAVAILABLE, "stop", "the server is stopping");
}
