import { fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { formatIssue, type Issue, type Result } from "../../src/base/issue.ts";
import type { Prng } from "../../src/base/prng.ts";
import type { Assignment, ClusterConfig } from "../../src/proxy/cluster/cluster-config.ts";
import { decodeCluster } from "../../src/proxy/decode/cluster.ts";
import { decodeAssignment } from "../../src/proxy/decode/endpoint.ts";
import { decodeListener } from "../../src/proxy/decode/listener.ts";
import { EXTENSION_TYPES } from "../../src/proxy/extension-types.ts";
import type { ListenerConfig } from "../../src/proxy/listener/listener-config.ts";
import { httpListener, routeTable } from "../proxy/bootstrap-json.ts";
import type { Behaviour } from "../sim/behaviour.ts";

/** The time-out of a whole request in every world. */
export const REQUEST_MS = 3000;

const registry = EXTENSION_TYPES;

function taken<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.issues.map(formatIssue).join("\n"));
}

/** Draws from one seed. */
export class Draws {
  readonly prng: Prng;

  constructor(prng: Prng) {
    this.prng = prng;
  }

  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number {
    return min + Math.floor(this.prng.next() * (max - min + 1));
  }

  chance(share: number): boolean {
    return this.prng.next() < share;
  }

  oneOf<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.prng.next() * items.length)];
    if (item === undefined) throw new Error("nothing to draw from");
    return item;
  }
}

/** What upstreams are like, good ones more often. */
const BEHAVIOURS: readonly Behaviour[] = [
  {},
  {},
  {},
  { status: 503 },
  { answer: "none" },
  { answer: "none", end: "reset" },
  { answer: "half" },
  { answer: "half", end: "reset" },
  { end: "fin" },
  { door: "refuses" },
  { door: "silent" },
];

/** How an upstream behaves for a while; some are slow. */
export function drawBehaviour(draws: Draws): Behaviour {
  return { ...draws.oneOf(BEHAVIOURS), delayMs: draws.between(0, draws.chance(0.1) ? 2000 : 20) };
}

/** Tables are small, as every change makes them anew. */
const POLICIES: readonly JsonObject[] = [
  { lb_policy: "ROUND_ROBIN" },
  { lb_policy: "LEAST_REQUEST" },
  { lb_policy: "RANDOM" },
  { lb_policy: "RING_HASH", ring_hash_lb_config: { minimum_ring_size: 32 } },
  { lb_policy: "MAGLEV", maglev_lb_config: { table_size: 101 } },
];

/** A cluster with drawn limits and policies. */
export function drawCluster(draws: Draws): ClusterConfig {
  const limits = {
    max_connections: draws.between(1, 12),
    max_pending_requests: draws.between(1, 12),
    max_requests: draws.between(1, 12),
  };
  const retries = draws.chance(0.5)
    ? { max_retries: draws.between(0, 4) }
    : { retry_budget: { budget_percent: { value: 25 }, min_retry_concurrency: 1 } };
  const perHost = { per_host_thresholds: [{ max_connections: draws.between(1, 4) }] };
  const json: JsonObject = {
    name: "c",
    type: "EDS",
    eds_cluster_config: { eds_config: { ads: {} } },
    connect_timeout: "0.25s",
    ...draws.oneOf(POLICIES),
    ...(draws.chance(0.5) ? { outlier_detection: drawOutlierDetection(draws) } : {}),
    ...(draws.chance(0.3) ? { health_checks: [drawHealthCheck(draws)] } : {}),
    ignore_health_on_host_removal: draws.chance(0.5),
    close_connections_on_host_health_failure: draws.chance(0.5),
    circuit_breakers: {
      thresholds: [{ ...limits, ...retries }],
      ...(draws.chance(0.3) ? perHost : {}),
    },
    common_lb_config: { healthy_panic_threshold: { value: draws.chance(0.7) ? 0 : 50 } },
    ...(draws.chance(0.3) ? { max_requests_per_connection: draws.between(1, 5) } : {}),
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options: { idle_timeout: "60s" },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
  };
  const message = fromJson(ClusterSchema, json, { registry });
  return taken(decodeCluster(message, toBinary(ClusterSchema, message)));
}

function drawOutlierDetection(draws: Draws): JsonObject {
  return {
    consecutive_5xx: draws.between(1, 3),
    consecutive_gateway_failure: draws.between(1, 4),
    enforcing_consecutive_gateway_failure: draws.oneOf([0, 100]),
    interval: "0.1s",
    base_ejection_time: draws.oneOf(["0.1s", "0.5s"]),
    max_ejection_time: "1s",
    max_ejection_percent: draws.oneOf([10, 50, 100, 100]),
    always_eject_one_host: draws.chance(0.5),
    ...(draws.chance(0.3) ? { split_external_local_origin_errors: true } : {}),
  };
}

function drawHealthCheck(draws: Draws): JsonObject {
  return {
    timeout: "0.1s",
    interval: draws.oneOf(["0.1s", "0.3s"]),
    interval_jitter: "0.05s",
    unhealthy_threshold: draws.between(1, 3),
    healthy_threshold: draws.between(1, 3),
    reuse_connection: draws.chance(0.7),
    no_traffic_interval: "0.2s",
    ...(draws.chance(0.7) ? { http_health_check: { path: "/" } } : { tcp_health_check: {} }),
  };
}

/** One listener that sends all requests to the cluster, with a drawn retry policy. */
export function drawListener(draws: Draws): ListenerConfig {
  const previous = {
    name: "envoy.retry_host_predicates.previous_hosts",
    typed_config: {
      "@type":
        "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
    },
  };
  const retry = {
    retry_on: "5xx,reset,connect-failure",
    num_retries: draws.between(0, 3),
    ...(draws.chance(0.5) ? { per_try_timeout: "0.5s" } : {}),
    ...(draws.chance(0.5)
      ? { retry_host_predicate: [previous], host_selection_retry_max_attempts: "3" }
      : {}),
  };
  const route = { cluster: "c", timeout: `${REQUEST_MS / 1000}s`, retry_policy: retry };
  const listener = httpListener("l", 10_000, {
    route_config: routeTable([{ match: { prefix: "/" }, route }]),
  });
  const message = fromJson(ListenerSchema, listener as JsonObject, { registry });
  return taken(decodeListener(message, toBinary(ListenerSchema, message)));
}

/** Some of the ports, with drawn health, weight, priority and place. */
export function drawAssignment(draws: Draws, ports: readonly number[]): Assignment {
  const health = ["UNKNOWN", "HEALTHY", "HEALTHY", "UNHEALTHY", "DRAINING", "DEGRADED"];
  const json: JsonObject = {
    cluster_name: "c",
    endpoints: ports
      .filter(() => draws.chance(0.7))
      .map((port) => ({
        priority: draws.between(0, 1),
        locality: { zone: draws.oneOf(["a", "b"]) },
        lb_endpoints: [
          {
            endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
            health_status: draws.oneOf(health),
            load_balancing_weight: draws.between(1, 5),
          },
        ],
      })),
  };
  const issues: Issue[] = [];
  const message = fromJson(ClusterLoadAssignmentSchema, json);
  const assignment = decodeAssignment(message, "", true, issues);
  if (issues.length > 0) throw new Error(issues.map(formatIssue).join("\n"));
  return assignment;
}
