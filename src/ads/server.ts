import { createServer } from "node:net";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import type { Node } from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { Clock, Timer } from "../base/clock.ts";
import { formatIssue, type Issue } from "../base/issue.ts";
import type { Logger } from "../telemetry/log.ts";
import type { MetricRegistry } from "../telemetry/metrics.ts";
import type { XdsSnapshot } from "../xds/snapshot.ts";
import { type ClientStatus, statusOf } from "./client-status.ts";
import { DebugCall, type DebugSource, isDebugType } from "./debug-call.ts";
import { DELTA } from "./delta-variant.ts";
import { NameSets } from "./name-sets.ts";
import type { HeldState } from "./publication.ts";
import type { Published } from "./publish-plan.ts";
import type { ClientNode, SnapshotSource } from "./snapshot-source.ts";
import { SOTW } from "./sotw-variant.ts";
import { AdsStream } from "./stream.ts";
import type { ClientRequest, Variant } from "./variant.ts";

/** Most clients at a time, when the options do not say. */
export const CLIENTS_MAX_DEFAULT = 5000;

/** Largest request. The largest there is names every cluster of a big mesh. */
const REQUEST_BYTES_MAX = 4 * 1024 * 1024;

/** How long a stream may be open without saying who it is. */
const FIRST_REQUEST_MS_MAX = 15_000;

/** A peer that is silently gone is noticed after the sum of these. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** How long `stop` waits for connections to end by themselves. */
const STOP_MS_MAX = 1000;

/** Clients that went, whose state is kept for when they come back: how many, and how long. */
const DEPARTED_MAX = 1000;
const DEPARTED_MS_MAX = 10 * 60_000;

const SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService";

/** Messages stay bytes at gRPC's border: they are put together by hand. */
const asIs = (bytes: Buffer): Buffer => bytes;

function method(name: string): ServiceDefinition[string] {
  return {
    path: `/${SERVICE}/${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

/** The aggregated discovery service over raw bytes; tests use it to make a client. */
export const ADS_SERVICE = {
  StreamAggregatedResources: method("StreamAggregatedResources"),
  DeltaAggregatedResources: method("DeltaAggregatedResources"),
} satisfies ServiceDefinition;

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
}

type Call = ServerDuplexStream<Buffer, Buffer>;

interface Client {
  readonly id: string;
  readonly node: ClientNode;
  readonly call: Call;
  readonly variant: Variant;
  readonly stream: AdsStream;
  readonly peer: string;
  readonly connectedAtMs: number;
  /** When the push that is under way began. */
  pushedAtMs: number;
}

/**
 * Serves aggregated discovery over gRPC: one `AdsStream` per call, kept until the call ends.
 * The owner calls `start` once and `stop` once.
 */
export class AdsServer {
  readonly #options: AdsServerOptions;
  readonly #server: Server;
  readonly #clients = new Map<string, Client>();
  readonly #calls = new Set<Call>();
  readonly #nameSets = new NameSets();
  /** By node id; oldest first. */
  readonly #departed = new Map<string, HeldState & { readonly atMs: number }>();
  #port = 0;
  #lastClient = 0;

  constructor(options: AdsServerOptions) {
    this.#options = options;
    this.#server = new Server({
      "grpc.max_receive_message_length": REQUEST_BYTES_MAX,
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    });
    const handlers: Record<keyof typeof ADS_SERVICE, UntypedHandleCall> = {
      StreamAggregatedResources: (call: Call) => this.#accept(call, SOTW),
      DeltaAggregatedResources: (call: Call) => this.#accept(call, DELTA),
    };
    this.#server.addService(ADS_SERVICE, handlers);
  }

  /** The port that is bound; 0 before `start`. */
  get port(): number {
    return this.#port;
  }

  /** Binds the address; rejects with the system's error when that fails. */
  async start(): Promise<void> {
    // gRPC writes to standard error by itself when it cannot bind, so it is not let near that.
    await probeAddr(this.#options.addr);
    this.#port = await new Promise<number>((resolve, reject) => {
      const credentials = ServerCredentials.createInsecure();
      this.#server.bindAsync(this.#options.addr, credentials, (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
  }

  /** Ends every stream with `UNAVAILABLE`, so that clients look for another server at once. */
  async stop(): Promise<void> {
    for (const call of this.#calls) refuse(call, status.UNAVAILABLE, "the server is stopping");
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(STOP_MS_MAX, () => {
        this.#server.forceShutdown();
        resolve();
      });
      this.#server.tryShutdown(() => {
        timer.cancel();
        resolve();
      });
    });
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
      .map(({ id, node, variant, peer, connectedAtMs, stream }) => ({
        clientId: id,
        node,
        variant: variant.name,
        peer,
        connectedAtMs,
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

  #accept(call: Call, variant: Variant): void {
    const { clock, metrics } = this.#options;
    if (this.#calls.size >= (this.#options.clientsMax ?? CLIENTS_MAX_DEFAULT)) {
      metrics.add("weft_xds_refused_streams", { reason: "limit" });
      const text = `more than ${this.#options.clientsMax ?? CLIENTS_MAX_DEFAULT} clients`;
      refuse(call, status.RESOURCE_EXHAUSTED, text);
      return;
    }
    this.#calls.add(call);
    let client: Client | undefined;
    const tool = variant === SOTW ? this.#toolOf(call) : undefined;
    const timer: Timer = clock.setTimer(FIRST_REQUEST_MS_MAX, () => {
      refuse(call, status.DEADLINE_EXCEEDED, "no request came");
    });
    call.on("data", (bytes: Buffer) => {
      timer.cancel();
      const request = variant.decode(bytes, this.#nameSets);
      if (!request.ok) {
        this.#refuse(call, "message", request.issues);
        return;
      }
      if (tool !== undefined && isDebugType(request.value.typeUrl)) {
        tool.receive(bytes);
        return;
      }
      client ??= this.#connect(call, variant, request.value);
      client?.stream.receive(request.value);
    });
    call.on("drain", () => client?.stream.drained());
    const leave = (): void => {
      timer.cancel();
      this.#calls.delete(call);
      if (client !== undefined) this.#disconnect(client);
    };
    call.on("end", () => call.end());
    call.on("error", leave);
    call.on("cancelled", leave);
    call.on("finish", leave);
  }

  /** Tools speak state of the world. */
  #toolOf(call: Call): DebugCall | undefined {
    const { debug } = this.#options;
    if (debug === undefined) return undefined;
    return new DebugCall(debug, {
      peer: call.getPeer(),
      write: (bytes) => {
        if (this.#calls.has(call)) call.write(bytes);
      },
      refuse: (text) => refuse(call, status.FAILED_PRECONDITION, text),
    });
  }

  #connect(call: Call, variant: Variant, request: ClientRequest): Client | undefined {
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
      const text = snapshot.issues.map(formatIssue).join("; ");
      metrics.add("weft_xds_refused_streams", { reason: "node" });
      log.warn("stream refused", { node: node.id, reason: text });
      refuse(call, status.INVALID_ARGUMENT, text);
      return undefined;
    }
    const sink = { write: (bytes: Buffer) => call.write(bytes) };
    const client: Client = {
      id,
      node,
      call,
      variant,
      peer: call.getPeer(),
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
          sink,
          onBroken: (error) => this.#breakOff(call, id, error),
          onSettled: () => this.#noteConvergence(client),
        },
        snapshot.value,
        request.isReturning ? this.#takeDeparted(node.id) : undefined,
      ),
    };
    this.#clients.set(id, client);
    metrics.set("pilot_xds", this.#clients.size);
    const peer = call.getPeer();
    log.info("client connected", {
      client: id,
      variant: variant.name,
      agent: node.userAgent,
      peer,
    });
    return client;
  }

  #refuse(call: Call, reason: string, issues: readonly Issue[]): void {
    this.#options.metrics.add("weft_xds_refused_streams", { reason });
    refuse(call, status.INVALID_ARGUMENT, issues.map(formatIssue).join("; "));
  }

  #disconnect(client: Client): void {
    if (!this.#clients.delete(client.id)) return;
    const { clock, source, metrics, log } = this.#options;
    this.#keepDeparted(client, clock.monotonicMs());
    client.stream.close();
    source.disconnect(client.id);
    metrics.set("pilot_xds", this.#clients.size);
    log.info("client gone", { client: client.id });
  }

  #keepDeparted({ node, stream }: Client, atMs: number): void {
    if (stream.subscriptions.size === 0) return;
    this.#departed.delete(node.id);
    this.#departed.set(node.id, { ...stream.heldState, atMs });
    for (const oldest of this.#departed.keys()) {
      if (this.#departed.size <= DEPARTED_MAX) break;
      this.#departed.delete(oldest);
    }
  }

  #takeDeparted(nodeId: string): HeldState | undefined {
    const held = this.#departed.get(nodeId);
    this.#departed.delete(nodeId);
    if (held === undefined) return undefined;
    const ageMs = this.#options.clock.monotonicMs() - held.atMs;
    return ageMs > DEPARTED_MS_MAX ? undefined : held;
  }

  #breakOff(call: Call, clientId: string, error: unknown): void {
    this.#options.log.error("stream ended by a bug", {
      client: clientId,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    refuse(call, status.INTERNAL, "internal error");
  }

  #noteConvergence(client: Client): void {
    const seconds = (this.#options.clock.monotonicMs() - client.pushedAtMs) / 1000;
    this.#options.metrics.observe("pilot_proxy_convergence_time", seconds);
  }
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

/** Binds an address and gives it back; rejects with the system's error when that fails. */
async function probeAddr(addr: string): Promise<void> {
  const colon = addr.lastIndexOf(":");
  const host = addr.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen(Number(addr.slice(colon + 1)), host, resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
}

/** Ends a call with a status; grpc-js takes an error with a code for that. */
function refuse(call: Call, code: status, details: string): void {
  call.emit("error", Object.assign(new Error(details), { code, details }));
}
