import {
  type CircuitBreakers,
  type CircuitBreakers_Thresholds,
  CircuitBreakers_Thresholds_RetryBudgetSchema,
  CircuitBreakers_ThresholdsSchema,
  CircuitBreakersSchema,
} from "../../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js";
import { RoutingPriority } from "../../api/gen/envoy/config/core/v3/base_pb.js";
import type { Issue } from "../../base/issue.ts";
import { joinPath, refuseFields } from "../../match/refuse-fields.ts";
import type { RetryBudget, Thresholds } from "../cluster/cluster-config.ts";

/** Envoy's defaults. */
const THRESHOLD = 1024;
const RETRIES = 3;
const BUDGET_PERCENT = 20;
const BUDGET_RETRIES = 3;

const FIELDS = [
  "priority",
  "max_connections",
  "max_pending_requests",
  "max_requests",
  "max_retries",
  "retry_budget",
  "track_remaining",
];

/** Decodes what the circuit breakers allow, by priority. Of two entries for one the first counts. */
export function decodeThresholds(
  message: CircuitBreakers | undefined,
  issues: Issue[],
): readonly [Thresholds, Thresholds] {
  const path = "circuit_breakers";
  if (message !== undefined) {
    const fields = ["thresholds", "per_host_thresholds"];
    issues.push(...refuseFields(CircuitBreakersSchema, message, fields, path));
    checkEntries(message.thresholds, FIELDS, joinPath(path, "thresholds"), issues);
    // As Envoy says: of a single host only connections are limited.
    const ofHosts = joinPath(path, "per_host_thresholds");
    const handled = ["priority", "max_connections"];
    checkEntries(message.perHostThresholds, handled, ofHosts, issues);
  }
  return [
    thresholdsOf(message, RoutingPriority.DEFAULT),
    thresholdsOf(message, RoutingPriority.HIGH),
  ];
}

function checkEntries(
  entries: readonly CircuitBreakers_Thresholds[],
  fields: readonly string[],
  path: string,
  issues: Issue[],
): void {
  for (const [at, entry] of entries.entries()) {
    const entryPath = joinPath(path, `[${at}]`);
    issues.push(...refuseFields(CircuitBreakers_ThresholdsSchema, entry, fields, entryPath));
    if (entry.retryBudget === undefined) continue;
    const budgetPath = joinPath(entryPath, "retry_budget");
    const schema = CircuitBreakers_Thresholds_RetryBudgetSchema;
    const handled = ["budget_percent", "min_retry_concurrency"];
    issues.push(...refuseFields(schema, entry.retryBudget, handled, budgetPath));
  }
}

function thresholdsOf(message: CircuitBreakers | undefined, priority: RoutingPriority): Thresholds {
  const isOfPriority = (entry: CircuitBreakers_Thresholds): boolean => entry.priority === priority;
  const given = message?.thresholds.find(isOfPriority);
  return {
    connectionsMax: given?.maxConnections ?? THRESHOLD,
    pendingMax: given?.maxPendingRequests ?? THRESHOLD,
    requestsMax: given?.maxRequests ?? THRESHOLD,
    retriesMax: given?.maxRetries ?? RETRIES,
    retryBudget: decodeBudget(given),
    hostConnectionsMax:
      message?.perHostThresholds.find(isOfPriority)?.maxConnections ?? Number.POSITIVE_INFINITY,
    tracksRemaining: given?.trackRemaining ?? false,
  };
}

function decodeBudget(given: CircuitBreakers_Thresholds | undefined): RetryBudget | undefined {
  const budget = given?.retryBudget;
  if (budget === undefined) return undefined;
  return {
    percent: budget.budgetPercent?.value ?? BUDGET_PERCENT,
    concurrencyMin: budget.minRetryConcurrency ?? BUDGET_RETRIES,
  };
}
