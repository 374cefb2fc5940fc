import { join } from "node:path";
import {
  filter,
  httpListener,
  routeTable,
  socketAddress,
  staticCluster,
} from "./bootstrap-json.ts";
import type { TestCertificate } from "./test-pki.ts";
import { downstreamTls, overTls, tlsCertificate } from "./tls-json.ts";
import { caseLog, type TwinPlaces } from "./twins.ts";

/** What is asked for in each test: a resource of its own, whose pressure stands in a file. */
export const RESOURCES = [
  "stop",
  "scaled",
  "keepalive",
  "hold",
  "reject",
  "timeouts",
  "accept",
  "dispatch",
  "head",
  "router",
] as const;
export type ResourceName = (typeof RESOURCES)[number];

const CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections";
export const CONNECTIONS_MAX = 40;
/** Of the listener; 60 times as long as the least that an overload leaves. */
export const IDLE_MS = 30_000;
export const IDLE_MS_MIN = 100;

const LISTENERS = ["in", "bypass", "unlimited", "tls"] as const;
export const OVERLOAD_PORTS: readonly string[] = LISTENERS;

function monitor(name: string, type: string, config: object): object {
  const typedConfig = { "@type": `type.googleapis.com/envoy.extensions.${type}`, ...config };
  return { name, typed_config: typedConfig };
}

function above(name: string): object {
  return { name, threshold: { value: 0.9 } };
}

function action(name: string, triggers: readonly object[], more: object = {}): object {
  return { name: `envoy.overload_actions.${name}`, triggers, ...more };
}

function point(name: string, resource: ResourceName): object {
  return { name: `envoy.load_shed_points.${name}`, triggers: [above(resource)] };
}

/** Every action and load shed point that weft knows. */
export function overloadManager(folder: string): object {
  const scale = (timer: string, more: object): object => ({ timer, ...more });
  return {
    refresh_interval: "0.02s",
    resource_monitors: [
      ...RESOURCES.map((name) =>
        monitor(name, "resource_monitors.injected_resource.v3.InjectedResourceConfig", {
          filename: join(folder, name),
        }),
      ),
      monitor("heap", "resource_monitors.fixed_heap.v3.FixedHeapConfig", {
        max_heap_size_bytes: 64 * 2 ** 30,
      }),
      monitor(
        CONNECTIONS,
        "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        { max_active_downstream_connections: CONNECTIONS_MAX },
      ),
    ],
    actions: [
      action("stop_accepting_requests", [
        above("stop"),
        { name: "scaled", scaled: { scaling_threshold: 0.5, saturation_threshold: 0.9 } },
      ]),
      action("disable_http_keepalive", [above("keepalive")]),
      action("stop_accepting_connections", [above("hold")]),
      action("reject_incoming_connections", [above("reject")]),
      action(
        "reduce_timeouts",
        [{ name: "timeouts", scaled: { scaling_threshold: 0, saturation_threshold: 0.9 } }],
        {
          typed_config: {
            "@type": "type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
            timer_scale_factors: [
              scale("HTTP_DOWNSTREAM_CONNECTION_IDLE", { min_timeout: "0.1s" }),
              scale("HTTP_DOWNSTREAM_STREAM_IDLE", { min_scale: { value: 1 } }),
              scale("TRANSPORT_SOCKET_CONNECT", { min_timeout: "0.1s" }),
            ],
          },
        },
      ),
    ],
    loadshed_points: [
      point("tcp_listener_accept", "accept"),
      point("http1_server_abort_dispatch", "dispatch"),
      point("http_connection_manager_decode_headers", "head"),
      point("http_downstream_filter_check", "router"),
    ],
  };
}

/** Listeners over one upstream: one that minds all of it, and some that mind less. */
export function overloadBootstrap(
  places: TwinPlaces,
  at: { readonly folder: string; readonly upstreamPort: number; readonly cert: TestCertificate },
): object {
  const listener = (name: string): object =>
    httpListener(name, places.ports[name] ?? 0, {
      common_http_protocol_options: { idle_timeout: `${IDLE_MS / 1000}s` },
      stream_idle_timeout: `${IDLE_MS / 1000}s`,
      delayed_close_timeout: "0.02s",
      http_filters: [
        // Not reached by what is refused at its head; before what is refused at the router.
        filter("http.fault.v3.HTTPFault", {
          abort: { header_abort: {}, percentage: { numerator: 100 } },
        }),
        filter("http.router.v3.Router", {}),
      ],
      access_log: [caseLog(places.logPath)],
      route_config: routeTable([
        { match: { prefix: "/up" }, route: { cluster: "up" } },
        { match: { prefix: "/direct" }, direct_response: { status: 299 } },
        { match: { prefix: "/moved" }, redirect: { path_redirect: "/up" } },
        { match: { prefix: "/nowhere" }, route: { cluster: "nowhere" } },
      ]),
    });
  const tls = overTls(
    listener("tls"),
    downstreamTls({ tls_certificates: [tlsCertificate(at.cert)] }),
  ) as { readonly filter_chains: readonly object[] };
  return {
    node: { id: "test", cluster: "test" },
    admin: { address: socketAddress(places.adminPort) },
    overload_manager: overloadManager(at.folder),
    static_resources: {
      listeners: [
        listener("in"),
        { ...listener("bypass"), bypass_overload_manager: true },
        { ...listener("unlimited"), ignore_global_conn_limit: true },
        {
          ...tls,
          filter_chains: tls.filter_chains.map((chain) => ({
            ...chain,
            transport_socket_connect_timeout: `${IDLE_MS / 1000}s`,
          })),
        },
      ],
      clusters: [staticCluster("up", [at.upstreamPort])],
    },
  };
}
