import type { ClusterConfig, Thresholds } from "./cluster-config.ts";

const THRESHOLDS: Thresholds = {
  connectionsMax: 10,
  pendingMax: 10,
  requestsMax: 10,
  retriesMax: 3,
  retryBudget: undefined,
  hostConnectionsMax: Number.POSITIVE_INFINITY,
  tracksRemaining: false,
};

/** A configuration for tests, with what they say. */
export function testClusterConfig(changes: Partial<ClusterConfig> = {}): ClusterConfig {
  return {
    name: "c",
    statName: "c",
    alias: "c",
    type: "STATIC",
    edsName: "",
    edsFirstAnswerMs: 0,
    assignment: undefined,
    dns: undefined,
    originalDst: undefined,
    lb: {
      policy: "round_robin",
      choiceCount: 2,
      activeRequestBias: 1,
      panicPercent: 50,
      subsets: undefined,
    },
    connectTimeoutMs: 1000,
    thresholds: [THRESHOLDS, THRESHOLDS],
    connection: {
      idleTimeoutMs: 0,
      maxDurationMs: 0,
      maxRequests: 0,
      responseHeads: {
        headBytesMax: 61_440,
        headerCountMax: 100,
        underscores: "allow",
        allowsChunkedLength: false,
      },
      passesTrailers: false,
      sendsFullUrl: false,
      nameFormat: undefined,
      keepAliveS: undefined,
      sources: [],
    },
    bufferBytesMax: 1000,
    maxStreamDurationMs: 0,
    closesOnHostSetChange: false,
    isHttp2: false,
    transport: undefined,
    metadata: {},
    body: new Uint8Array(),
    ...changes,
  };
}
