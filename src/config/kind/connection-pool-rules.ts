import { parseDurationMs } from "../../base/duration.ts";
import type { Issue } from "../../base/issue.ts";
import type { ConnectionPoolSettings, HttpSettings, TcpSettings } from "../connection-pool.ts";

const HTTP_COUNTS = [
  "http1MaxPendingRequests",
  "http2MaxRequests",
  "maxRequestsPerConnection",
  "maxRetries",
  "maxConcurrentStreams",
] as const;

/** `connectionPool`, of a DestinationRule or a Sidecar. */
export function validateConnectionPool(
  pool: ConnectionPoolSettings | undefined,
  path: string,
): readonly Issue[] {
  if (pool === undefined) return [];
  const { tcp, http } = pool;
  if (tcp === undefined && http === undefined) {
    return [{ path, message: 'must have at least one of "tcp", "http"' }];
  }
  return [
    ...(http === undefined ? [] : validateHttp(http, `${path}.http`)),
    ...(tcp === undefined ? [] : validateTcp(tcp, `${path}.tcp`)),
  ];
}

function validateHttp(http: HttpSettings, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  for (const field of HTTP_COUNTS) {
    const value = http[field] ?? 0;
    if (value >= 0) continue;
    issues.push({ path: `${path}.${field}`, message: `must not be negative: got ${value}` });
  }
  if (http.h2UpgradePolicy === "UPGRADE" && http.useClientProtocol === true) {
    const message = "must not be true beside h2UpgradePolicy: UPGRADE";
    issues.push({ path: `${path}.useClientProtocol`, message });
  }
  return issues;
}

function validateTcp(tcp: TcpSettings, path: string): readonly Issue[] {
  const issues: Issue[] = [];
  const { maxConnections = 0, idleTimeout } = tcp;
  if (maxConnections < 0) {
    const message = `must not be negative: got ${maxConnections}`;
    issues.push({ path: `${path}.maxConnections`, message });
  }
  const idleMs = idleTimeout === undefined ? 0 : (parseDurationMs(idleTimeout) ?? 0);
  if (idleMs < 0 || !Number.isInteger(idleMs)) {
    const message = `must be whole milliseconds, or 0s for never: got "${idleTimeout}"`;
    issues.push({ path: `${path}.idleTimeout`, message });
  }
  return issues;
}
