import { fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import {
  type AccessLog,
  AccessLogSchema,
} from "../../src/api/gen/envoy/config/accesslog/v3/accesslog_pb.js";
import { TrafficDirection } from "../../src/api/gen/envoy/config/core/v3/base_pb.js";
import {
  type Listener,
  ListenerSchema,
} from "../../src/api/gen/envoy/config/listener/v3/listener_pb.js";
import {
  HttpConnectionManagerSchema,
  HttpConnectionManager_TracingSchema as TracingSchema,
} from "../../src/api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { TcpProxySchema } from "../../src/api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import { UuidRequestIdConfigSchema } from "../../src/api/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.js";
import { EXTENSION_REGISTRY } from "../../src/api/registry.ts";
import { unpackAny } from "../../src/api/type-url.ts";

/** What the listeners of one side of a proxy tell of what they serve; each thing once, as JSON text. */
export interface Told {
  readonly tracing: readonly string[];
  /** Whether a request's ID decides about its trace. */
  readonly requestIds: readonly string[];
  readonly ofRequests: readonly string[];
  readonly ofConnections: readonly string[];
  readonly ofListeners: readonly string[];
}

/** What listeners, as they came over the wire, tell of what comes in and of what goes out. */
export function toldBy(bodies: readonly Uint8Array[]): {
  readonly inbound: Told;
  readonly outbound: Told;
} {
  const listeners = bodies.map((body) => fromBinary(ListenerSchema, body));
  const of = (isInbound: boolean): Told =>
    sideOf(
      listeners.filter(
        ({ trafficDirection }) => (trafficDirection === TrafficDirection.INBOUND) === isInbound,
      ),
    );
  return { inbound: of(true), outbound: of(false) };
}

function sideOf(listeners: readonly Listener[]): Told {
  const filters = listeners.flatMap(({ filterChains, defaultFilterChain }) =>
    [...filterChains, ...(defaultFilterChain === undefined ? [] : [defaultFilterChain])].flatMap(
      (chain) => chain.filters.map(({ configType }) => configType.value as Any),
    ),
  );
  const managers = filters.flatMap((any) => unpackAny(HttpConnectionManagerSchema, any) ?? []);
  const proxies = filters
    .flatMap((any) => unpackAny(TcpProxySchema, any) ?? [])
    // Where nothing is ever sent to, there is nothing to tell.
    .filter(({ clusterSpecifier }) => clusterSpecifier.value !== "BlackHoleCluster");
  return {
    tracing: distinct(
      managers.map(({ tracing }) => (tracing === undefined ? null : json(TracingSchema, tracing))),
    ),
    requestIds: distinct(
      managers.map(({ requestIdExtension }) => {
        const any = requestIdExtension?.typedConfig;
        const ids = any && unpackAny(UuidRequestIdConfigSchema, any);
        return ids?.useRequestIdForTraceSampling ?? true;
      }),
    ),
    ofRequests: distinct(managers.map(({ accessLog }) => logs(accessLog))),
    ofConnections: distinct(proxies.map(({ accessLog }) => logs(accessLog))),
    ofListeners: logging(distinct(listeners.map(({ accessLog }) => logs(accessLog)))),
  };
}

/** istiod has listeners that log nothing among those that do: what all others say counts. */
function logging(told: readonly string[]): readonly string[] {
  return told.length < 2 ? told : told.filter((text) => text !== "[]");
}

function logs(messages: readonly AccessLog[]): JsonValue {
  return messages.map((message) => json(AccessLogSchema, message));
}

function json(...[schema, message]: Parameters<typeof toJson>): JsonValue {
  return toJson(schema, message, { registry: EXTENSION_REGISTRY, useProtoFieldName: true });
}

function distinct(values: readonly JsonValue[]): readonly string[] {
  return [...new Set(values.map((value) => JSON.stringify(sorted(value))))].sort();
}

/** Fields by name: who wrote them first does not count. */
function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    // Says what holds anyway, whatever is in it.
    .filter(([name]) => name !== "json_format_options")
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}
