import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { AddressSchema } from "../api/gen/envoy/config/core/v3/address_pb.js";
import { TrafficDirection } from "../api/gen/envoy/config/core/v3/base_pb.js";
import {
  type SocketOptionSchema,
  SocketOption_SocketState as SocketState,
} from "../api/gen/envoy/config/core/v3/socket_option_pb.js";
import type { FilterChainSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import type { FilterChain, ListenAddress, Listener, TcpKeepalive } from "../model/listener.ts";
import type { SideTelemetry } from "../model/proxy-telemetry.ts";
import { accessLogs } from "./access-log.ts";
import { downstreamTls, isTlsPossible } from "./downstream-tls.ts";
import { chainMatch } from "./filter-chain-match.ts";
import { httpFilter } from "./http-connection-manager.ts";
import { listenerFilters } from "./listener-filters.ts";
import type { ListenerSettings } from "./listener-settings.ts";
import { buildMetadata } from "./metadata.ts";
import { encodeResource } from "./resource.ts";
import type { XdsResource } from "./snapshot.ts";
import { closingFilter, tcpFilters } from "./tcp-proxy.ts";
import { duration, socketAddress } from "./wire.ts";

/** A listener on the wire. */
export function encodeListener(listener: Listener, settings: ListenerSettings): XdsResource {
  const { name, origins, defaultChain, inspectionTimeoutMs, keepalive } = listener;
  const { client, server } = settings.telemetry;
  const side = listener.direction === "inbound" ? server : client;
  const chain = (one: FilterChain) => chainMessage(one, settings, side);
  const message = create(ListenerSchema, {
    name,
    address: addressOf(listener.address),
    additionalAddresses: listener.additionalAddresses.map((address) => ({
      address: addressOf(address),
    })),
    trafficDirection:
      listener.direction === "inbound" ? TrafficDirection.INBOUND : TrafficDirection.OUTBOUND,
    ...(!listener.isBound && { bindToPort: false }),
    ...(listener.isCapturing && { useOriginalDst: true }),
    ...(listener.isTransparent === true && { transparent: true }),
    listenerFilters: listenerFilters(listener.inspection),
    // Whoever says nothing until then is taken for what needs no inspection, not turned away.
    ...(inspectionTimeoutMs !== undefined && {
      listenerFiltersTimeout: duration(inspectionTimeoutMs),
      continueOnListenerFiltersTimeout: true,
    }),
    ...(keepalive !== undefined && { socketOptions: keepaliveOptions(keepalive) }),
    filterChains: listener.chains.map(chain),
    ...(defaultChain !== undefined && { defaultFilterChain: chain(defaultChain) }),
    accessLog: settings.mesh.isListenerLogged ? accessLogs(side, "unmatched") : [],
    ...(origins.length > 0 && { metadata: buildMetadata(origins) }),
  });
  return encodeResource(ListenerSchema, message, {
    name,
    origins,
    references: routesOf(listener),
  });
}

/** The route configurations that a listener asks for by name. */
function routesOf({ chains, defaultChain }: Listener): readonly string[] {
  const names = [...chains, ...(defaultChain === undefined ? [] : [defaultChain])].flatMap(
    ({ filter }) =>
      filter.type === "http" && typeof filter.routes === "string" ? [filter.routes] : [],
  );
  return [...new Set(names)];
}

function chainMessage(
  chain: FilterChain,
  settings: ListenerSettings,
  side: SideTelemetry,
): MessageInitShape<typeof FilterChainSchema> {
  const { name, match, tls } = chain;
  return {
    name,
    ...(Object.keys(match).length > 0 && { filterChainMatch: chainMatch(match) }),
    ...(tls !== undefined && isTlsPossible(tls, settings)
      ? { transportSocket: downstreamTls(tls, settings) }
      : {}),
    filters: filtersOf(chain, settings, side),
  };
}

/** What TLS guards is closed, not open, where there can be no TLS. */
function filtersOf({ tls, filter }: FilterChain, settings: ListenerSettings, side: SideTelemetry) {
  if (tls !== undefined && !isTlsPossible(tls, settings)) return [closingFilter()];
  return filter.type === "http"
    ? [httpFilter(filter, settings)]
    : tcpFilters(filter, settings, side);
}

function addressOf(address: ListenAddress): MessageInitShape<typeof AddressSchema> {
  if ("path" in address) return { address: { case: "pipe", value: { path: address.path } } };
  return socketAddress(address.address, address.port);
}

/** Linux' numbers (socket(7), tcp(7)). */
const SOL_SOCKET = 1n;
const SO_KEEPALIVE = 9n;
const IPPROTO_TCP = 6n;
const TCP_KEEPIDLE = 4n;
const TCP_KEEPINTVL = 5n;
const TCP_KEEPCNT = 6n;

/** Accepted connections inherit what the listening socket has. */
function keepaliveOptions({
  probes,
  timeMs,
  intervalMs,
}: TcpKeepalive): MessageInitShape<typeof SocketOptionSchema>[] {
  const tcp = (name: bigint, value: number | undefined) =>
    value === undefined ? [] : [socketOption(IPPROTO_TCP, name, value)];
  return [
    socketOption(SOL_SOCKET, SO_KEEPALIVE, 1),
    ...tcp(TCP_KEEPCNT, probes),
    ...tcp(TCP_KEEPIDLE, timeMs === undefined ? undefined : Math.ceil(timeMs / 1000)),
    ...tcp(TCP_KEEPINTVL, intervalMs === undefined ? undefined : Math.ceil(intervalMs / 1000)),
  ];
}

function socketOption(
  level: bigint,
  name: bigint,
  value: number,
): MessageInitShape<typeof SocketOptionSchema> {
  return {
    level,
    name,
    value: { case: "intValue", value: BigInt(value) },
    state: SocketState.STATE_LISTENING,
  };
}
