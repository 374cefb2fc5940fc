import { create } from "@bufbuild/protobuf";
import { NodeSchema } from "../../src/api/gen/envoy/config/core/v3/base_pb.js";
import type { Prng } from "../../src/base/prng.ts";
import type { SimClock } from "../../src/base/sim-clock.ts";
import { NO_RUNTIME } from "../../src/match/runtime-reader.ts";
import { AccessLogs } from "../../src/proxy/access-log/access-logs.ts";
import { LogFiles, type StreamWriter } from "../../src/proxy/access-log/log-file.ts";
import { ClusterSet } from "../../src/proxy/cluster/cluster-set.ts";
import type { ProxyContext } from "../../src/proxy/context.ts";
import { CounterGroups } from "../../src/proxy/counters.ts";
import { DnsCaches } from "../../src/proxy/dns-cache/dns-caches.ts";
import { RETHROW } from "../../src/proxy/fault-log.ts";
import { DateHeader } from "../../src/proxy/http/date-header.ts";
import { AcceptedConnection } from "../../src/proxy/listener/accepted-connection.ts";
import type { ChainDeps } from "../../src/proxy/listener/chain.ts";
import { ServerDrain } from "../../src/proxy/listener/drain.ts";
import { Deadlines } from "../../src/proxy/net/deadlines.ts";
import { FlushQueue } from "../../src/proxy/net/flush-queue.ts";
import { createReadBuffer } from "../../src/proxy/net/socket.ts";
import type {
  OpenConnection,
  TerminalFilter,
} from "../../src/proxy/network-filter/network-filter.ts";
import { timeoutsOf } from "../../src/proxy/overload/timeouts.ts";
import { SharedBuckets } from "../../src/proxy/rate-limit/shared-buckets.ts";
import { RouteSet } from "../../src/proxy/route-set.ts";
import { SecretStore } from "../../src/proxy/secret/secret-store.ts";
import { Taps } from "../../src/proxy/tap/taps.ts";
import { ContextCache } from "../../src/proxy/tls/secure-context.ts";
import { TracerSet } from "../../src/proxy/tracing/tracer-set.ts";
import { silentLogger } from "../../src/telemetry/log.ts";
import { type Answer, SimClient } from "./sim-client.ts";
import { SimSocket, type SimWires } from "./sim-socket.ts";

const NOTHING = (): undefined => undefined;

/** What the proxy knows of itself and its machine. */
const SURROUNDINGS = {
  node: { id: "", cluster: "", zone: "" },
  processes: 1,
  isHealthCheckFailed: () => false,
  localAddress: "127.0.0.1",
  createRequestId: () => "00000000-0000-4000-8000-000000000000",
};

const LISTENER = { isOutbound: false, bufferBytesMax: 1_048_576 };

/** The proxy's own parts, on simulated time and a seeded chance. */
export interface SimProxy {
  readonly clusters: ClusterSet;
  readonly deps: ChainDeps;
}

const ONE_PROCESS = { processes: 1 };
const NODE = create(NodeSchema);

function createDrain(clock: SimClock, prng: Prng): ChainDeps["drain"] {
  const drain = new ServerDrain({ clock, prng, durationMs: 1000, strategy: "immediate" });
  return drain.ofChain({ isInbound: false, heedsHealth: true });
}

/** Puts a proxy together that never opens a socket of its own. */
export function createSimProxy(
  clock: SimClock,
  prng: Prng,
  writeStream: StreamWriter = () => undefined,
): SimProxy {
  const log = silentLogger;
  const counters = new CounterGroups();
  const secrets = new SecretStore({
    clock,
    log,
    statics: new Map(),
    onNames: () => undefined,
    onProgress: () => undefined,
  });
  const tlsContexts = new ContextCache();
  const readBuffer = createReadBuffer();
  const createResolver = (): never => {
    throw new Error("no names are resolved here");
  };
  const dnsCaches = new DnsCaches({ clock, prng, counters, createResolver });
  const deadlines = new Deadlines(clock);
  const io = { readBuffer, flushQueue: new FlushQueue(undefined), deadlines };
  const clusters = new ClusterSet({
    clock,
    prng,
    runtime: NO_RUNTIME,
    log,
    writeEjection: undefined,
    own: undefined,
    ...ONE_PROCESS,
    health: { clock, prng, runtime: NO_RUNTIME, counters, ...io, openLog: () => () => undefined },
    tls: { tlsContexts, secrets, counters, clock },
    dnsCaches,
    createResolver,
  });
  let connectionIds = 0;
  const context: ProxyContext = {
    clock,
    prng,
    runtime: NO_RUNTIME,
    log,
    faults: { note: RETHROW },
    ...io,
    timeouts: timeoutsOf(undefined, deadlines),
    overload: undefined,
    date: new DateHeader(clock),
    counters,
    dnsCaches,
    secrets,
    tlsContexts,
    findCluster: (name) => clusters.find(name),
    ...SURROUNDINGS,
    tracers: new TracerSet(),
    sharedBuckets: new SharedBuckets(),
    taps: new Taps(),
    nextConnectionId: () => ++connectionIds,
  };
  const routes = new RouteSet({ counters, clock, onHostNames: NOTHING, onReady: NOTHING });
  const deps: ChainDeps = {
    context,
    logs: new AccessLogs(new LogFiles(clock, log, writeStream), context, NODE),
    routeSource: (name, statPrefix) => routes.source(name, statPrefix),
    findByAddress: () => undefined,
    drainMs: 1000,
    drain: createDrain(clock, prng),
    onDrained: () => undefined,
    ...LISTENER,
  };
  return { clusters, deps };
}

/** A client of a simulated proxy, with the proxy's side of its connection. */
export interface ConnectedClient {
  readonly client: SimClient;
  readonly connection: OpenConnection;
}

/** Connects a client to what a filter chain ends in. */
export function connectClient(
  { deps }: SimProxy,
  terminal: TerminalFilter,
  wires: SimWires,
  told: {
    readonly onAnswer: (client: SimClient, answer: Answer) => void;
    readonly onEnd: (connection: OpenConnection) => void;
  },
): ConnectedClient {
  const socket = new SimSocket(wires, deps.context.readBuffer.bytes, false);
  const accepted = new AcceptedConnection(socket.asSocket());
  const connection = terminal.open(accepted, (owner) => socket.own(owner), told.onEnd);
  const client = new SimClient(socket, (answer) => told.onAnswer(client, answer));
  socket.attach(client);
  return { client, connection };
}
