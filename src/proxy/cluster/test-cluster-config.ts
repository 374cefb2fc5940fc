import { HTTP2_DEFAULTS } from "../http2/http2-options.ts";
import type { Assignment, ClusterConfig, Endpoint, Thresholds } from "./cluster-config.ts";
import { endpointOf } from "./original-dst.ts";

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
    aggregated: [],
    edsName: "",
    edsFirstAnswerMs: 0,
    assignment: undefined,
    dns: undefined,
    originalDst: undefined,
    dnsCache: undefined,
    lb: {
      policy: "round_robin",
      choiceCount: 2,
      activeRequestBias: 1,
      activeRequestBiasKey: "",
      slowStart: undefined,
      hashing: undefined,
      locality: { kind: "none" },
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
      keepAlive: undefined,
      preconnectRatio: 1,
      predictiveRatio: 0,
      addressOrder: { firstFamily: "DEFAULT", firstCount: 1 },
      sources: [],
      names: undefined,
    },
    bufferBytesMax: 1000,
    maxStreamDurationMs: 0,
    httpFilters: [],
    closesOnHostSetChange: false,
    healthCheck: undefined,
    dropsHealthyHosts: false,
    closesOnHostFailure: false,
    ignoresUncheckedHosts: false,
    overrideStatuses: new Set(["UNKNOWN", "HEALTHY", "DEGRADED"]),
    httpVersion: "HTTP/1.1",
    http2: HTTP2_DEFAULTS,
    transport: undefined,
    outlier: undefined,
    metadata: {},
    body: new Uint8Array(),
    ...changes,
  };
}

/** An endpoint at 127.0.0.1, with what a test says. */
export function testEndpoint(port: number, changes: Partial<Endpoint> = {}): Endpoint {
  return { ...endpointOf("127.0.0.1", port), ...changes };
}

/** An assignment for tests. */
export function testAssignment(
  endpoints: readonly Endpoint[],
  changes: Partial<Assignment> = {},
): Assignment {
  const rest = {
    overprovisioningPercent: 140,
    weighsPriorityHealth: false,
    staleAfterMs: 0,
    dropShare: 0,
  };
  return { name: "c", endpoints, ...rest, ...changes };
}
