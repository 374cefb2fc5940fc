import { createHash } from "node:crypto";
import {
  createRegistry,
  type DescMessage,
  fromJson,
  type JsonObject,
  toBinary,
} from "@bufbuild/protobuf";
import { ClusterSchema } from "../../src/api/gen/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import { RouteConfigurationSchema } from "../../src/api/gen/envoy/config/route/v3/route_pb.js";
import { RouterSchema } from "../../src/api/gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../../src/api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { XdsResource, XdsSnapshot } from "../../src/xds/snapshot.ts";

const registry = createRegistry(HttpConnectionManagerSchema, RouterSchema);

function resource(
  schema: DescMessage,
  name: string,
  json: JsonObject,
  references: readonly string[] = [],
): [string, XdsResource] {
  const body = toBinary(schema, fromJson(schema, json, { registry }));
  const version = createHash("sha256").update(body).digest("hex").slice(0, 16);
  return [name, { name, version, body, origins: [], references }];
}

const ADS = { ads: {}, resource_api_version: "V3" };

/** A mesh of one listener on a free port, whose one route goes to one of some clusters. */
export interface FixtureSpec {
  /** Cluster name to the port of its endpoint on 127.0.0.1. */
  readonly clusters: Readonly<Record<string, number>>;
  readonly target: string;
  readonly connectTimeoutSeconds?: number;
  /** A cluster that no Envoy takes. */
  readonly badCluster?: string;
  /** Adds a listener that no Envoy takes. */
  readonly hasBadListener?: boolean;
}

/** The snapshot of such a mesh. */
export function fixtureSnapshot(spec: FixtureSpec): XdsSnapshot {
  const names = Object.keys(spec.clusters).sort();
  const listeners = [resource(ListenerSchema, "web", listenerJson("web"), ["r"])];
  if (spec.hasBadListener === true) {
    listeners.unshift(
      resource(ListenerSchema, "bad", { ...listenerJson("bad"), filter_chains: [{}, {}] }, []),
    );
  }
  return {
    resources: {
      cluster: new Map(
        names.map((name) =>
          resource(ClusterSchema, name, {
            name,
            type: "EDS",
            connect_timeout: `${spec.connectTimeoutSeconds ?? 1}s`,
            eds_cluster_config: { eds_config: ADS },
            ...(spec.badCluster === name && { lb_policy: "CLUSTER_PROVIDED" }),
          }),
        ),
      ),
      endpoint: new Map(
        names.map((name) =>
          resource(ClusterLoadAssignmentSchema, name, {
            cluster_name: name,
            endpoints: [{ lb_endpoints: [endpointJson(spec.clusters[name] ?? 0)] }],
          }),
        ),
      ),
      listener: new Map(listeners),
      route: new Map([
        resource(
          RouteConfigurationSchema,
          "r",
          {
            name: "r",
            virtual_hosts: [
              {
                name: "all",
                domains: ["*"],
                routes: [{ match: { prefix: "/" }, route: { cluster: spec.target } }],
              },
            ],
          },
          [spec.target],
        ),
      ]),
      virtualHost: new Map(),
    },
  };
}

function endpointJson(port: number): JsonObject {
  return {
    endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } },
  };
}

function listenerJson(name: string): JsonObject {
  return {
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: name,
              rds: { config_source: ADS, route_config_name: "r" },
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                  },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}
