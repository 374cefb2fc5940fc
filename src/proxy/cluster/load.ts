import type { ClusterConfig } from "./cluster-config.ts";

/** What one cluster has in use, against its circuit breakers, and what it counted, by Envoy's names. */
export class ClusterLoad {
  readonly config: ClusterConfig;
  connections = 0;
  pending = 0;
  requests = 0;
  retries = 0;

  connectionsTotal = 0;
  connectFails = 0;
  connectTimeouts = 0;
  requestsTotal = 0;
  requestTimeouts = 0;
  retriesTotal = 0;
  retriesOverflow = 0;
  retriesExhausted = 0;
  pendingOverflow = 0;
  noneHealthy = 0;
  /** Responses by the first digit of their status. */
  readonly classes: number[] = [0, 0, 0, 0, 0, 0];

  constructor(config: ClusterConfig) {
    this.config = config;
  }
}
