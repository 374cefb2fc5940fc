import type { JsonValue } from "@bufbuild/protobuf";
import { formatHostPort } from "../../base/ip.ts";
import type { TypeStatus } from "../../xdsclient/resource-type.ts";
import type { ProxyBootstrap } from "../bootstrap.ts";
import { PRIORITY } from "../cluster/breakers.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Thresholds } from "../cluster/cluster-config.ts";
import type { ClusterSet } from "../cluster/cluster-set.ts";
import type { Host } from "../cluster/host.ts";
import type { CounterGroups } from "../counters.ts";
import type { ListenerSet } from "../listener/listener-set.ts";
import type { RouteSet } from "../route-set.ts";
import { dumpConfig } from "./config-dump.ts";
import { collectStats } from "./stats.ts";

/** What the pages show. */
export interface AdminState {
  readonly bootstrap: ProxyBootstrap;
  readonly state: () => string;
  readonly clusters: ClusterSet;
  readonly listeners: ListenerSet;
  readonly routes: RouteSet;
  readonly counters: CounterGroups;
  readonly adsStatus: () => readonly TypeStatus[];
  readonly isConnected: () => boolean;
}

/** Text, or a value that is sent as JSON. */
interface Rendered {
  readonly status?: number;
  readonly body: string | object;
}

interface Page {
  readonly path: string;
  readonly help: string;
  readonly isPost?: boolean;
  readonly render: (state: AdminState, query: URLSearchParams, uptimeS: number) => Rendered;
}

/** Every page that is built, under Envoy's paths. */
export const PAGES: readonly Page[] = [
  {
    path: "/ready",
    help: "print server state, return 200 if LIVE, otherwise return 503",
    render: ({ state }) => ({ status: state() === "LIVE" ? 200 : 503, body: `${state()}\n` }),
  },
  {
    path: "/server_info",
    help: "print server version/status information",
    render: ({ state, bootstrap }, _query, uptimeS) => ({
      body: {
        version: "weft",
        state: state(),
        uptime_current_epoch: `${uptimeS}s`,
        uptime_all_epochs: `${uptimeS}s`,
        node: { id: bootstrap.node.id, cluster: bootstrap.node.cluster },
      },
    }),
  },
  {
    path: "/clusters",
    help: "upstream cluster status",
    render: ({ clusters }, query) => ({
      body:
        query.get("format") === "json"
          ? { cluster_statuses: clusters.active.map(clusterStatus) }
          : clusters.active.map(clusterText).join(""),
    }),
  },
  { path: "/listeners", help: "print listener info", render: renderListeners },
  {
    path: "/config_dump",
    help: "dump current configurations",
    render: (state) => ({ body: { configs: dumpConfig(state) } }),
  },
  {
    path: "/stats",
    help: "print server stats",
    render: (state, query) => {
      const filter = query.get("filter") ?? "";
      const isUsedOnly = query.has("usedonly");
      const lines = collectStats(state)
        .filter(([name, value]) => name.includes(filter) && !(isUsedOnly && value === 0))
        .map(([name, value]) => `${name}: ${value}\n`);
      return { body: lines.sort().join("") };
    },
  },
  {
    path: "/quitquitquit",
    help: "exit the server",
    isPost: true,
    render: () => ({ body: "OK\n" }),
  },
];

function renderListeners({ listeners }: AdminState, query: URLSearchParams): Rendered {
  if (query.get("format") !== "json") {
    const lines = listeners.active.flatMap(({ config, boundAddresses }) =>
      boundAddresses.map(({ address, port }) => `${config.name}::${formatBound(address, port)}\n`),
    );
    return { body: lines.join("") };
  }
  const statuses = listeners.active.map(({ config, boundAddresses }) => {
    const [own, ...additional] = boundAddresses.map(socketAddress);
    return {
      name: config.name,
      local_address: own,
      ...(additional.length === 0 ? {} : { additional_local_addresses: additional }),
    };
  });
  return { body: { listener_statuses: statuses } };
}

function formatBound(address: string, port: number): string {
  return address.startsWith("/") ? address : formatHostPort(address, port);
}

function socketAddress({ address, port }: { address: string; port: number }): object {
  if (address.startsWith("/")) return { pipe: { path: address } };
  return { socket_address: { address, port_value: port } };
}

function clusterText(cluster: Cluster): string {
  const { config } = cluster;
  const lines = [
    `observability_name::${config.name}`,
    ...thresholdLines("default", config.thresholds[PRIORITY.default]),
    ...thresholdLines("high", config.thresholds[PRIORITY.high]),
    `added_via_api::${cluster.isDynamic}`,
    ...cluster.hosts.flatMap((host) =>
      Object.entries(hostValues(host)).map(([name, value]) => `${host.key}::${name}::${value}`),
    ),
  ];
  return lines.map((line) => `${config.name}::${line}\n`).join("");
}

function thresholdLines(name: string, limits: Thresholds): string[] {
  return [
    `${name}_priority::max_connections::${limits.connectionsMax}`,
    `${name}_priority::max_pending_requests::${limits.pendingMax}`,
    `${name}_priority::max_requests::${limits.requestsMax}`,
    `${name}_priority::max_retries::${limits.retriesMax}`,
  ];
}

function hostValues(host: Host): Record<string, string | number> {
  const { hostname, weight, region, zone, subZone, isHealthy } = host.state;
  return {
    cx_active: host.activeConnections,
    cx_connect_fail: host.connectFails,
    cx_total: host.connectionsTotal,
    rq_active: host.activeRequests,
    rq_error: host.requestErrors,
    rq_success:
      host.requestsTotal - host.requestErrors - host.requestTimeouts - host.activeRequests,
    rq_timeout: host.requestTimeouts,
    rq_total: host.requestsTotal,
    hostname,
    health_flags: isHealthy ? "healthy" : "/failed_eds_health",
    weight,
    region,
    zone,
    sub_zone: subZone,
    canary: "false",
    priority: 0,
  };
}

const GAUGES: ReadonlySet<string> = new Set(["cx_active", "rq_active"]);
const COUNTED = /^(?:cx|rq)_/;

function clusterStatus({ config, hosts, isDynamic }: Cluster): JsonValue {
  return {
    name: config.name,
    ...(isDynamic ? { added_via_api: true } : {}),
    host_statuses: hosts.map((host) => {
      const { isHealthy, weight, hostname, region, zone, subZone } = host.state;
      const stats = Object.entries(hostValues(host)).filter(([name]) => COUNTED.test(name));
      return {
        address: { socket_address: { address: host.address, port_value: host.port } },
        stats: stats.map(([name, value]) => ({
          ...(GAUGES.has(name) ? { type: "GAUGE" } : {}),
          ...(value === 0 ? {} : { value: String(value) }),
          name,
        })),
        health_status: { eds_health_status: isHealthy ? "HEALTHY" : "UNHEALTHY" },
        weight,
        ...(hostname === "" ? {} : { hostname }),
        locality: { region, zone, sub_zone: subZone },
      };
    }),
  };
}
