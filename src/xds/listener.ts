import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { AddressSchema } from "../api/gen/envoy/config/core/v3/address_pb.js";
import { TrafficDirection } from "../api/gen/envoy/config/core/v3/base_pb.js";
import type { FilterChainSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../api/gen/envoy/config/listener/v3/listener_pb.js";
import type { FilterChain, ListenAddress, Listener } from "../model/listener.ts";
import type { MeshSettings } from "../model/mesh-settings.ts";
import { chainMatch } from "./filter-chain-match.ts";
import { httpFilter } from "./http-connection-manager.ts";
import { buildMetadata } from "./metadata.ts";
import { encodeResource } from "./resource.ts";
import type { XdsResource } from "./snapshot.ts";
import { tcpFilter } from "./tcp-proxy.ts";
import { socketAddress } from "./wire.ts";

/** A listener on the wire. */
export function encodeListener(listener: Listener, settings: MeshSettings): XdsResource {
  const { name, origins } = listener;
  const message = create(ListenerSchema, {
    name,
    address: addressOf(listener.address),
    additionalAddresses: listener.additionalAddresses.map((address) => ({
      address: addressOf(address),
    })),
    trafficDirection:
      listener.direction === "inbound" ? TrafficDirection.INBOUND : TrafficDirection.OUTBOUND,
    filterChains: listener.chains.map((chain) => chainMessage(chain, settings)),
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
  { name, match, filter }: FilterChain,
  settings: MeshSettings,
): MessageInitShape<typeof FilterChainSchema> {
  return {
    name,
    ...(Object.keys(match).length > 0 && { filterChainMatch: chainMatch(match) }),
    filters: [filter.type === "http" ? httpFilter(filter, settings) : tcpFilter(filter)],
  };
}

function addressOf(address: ListenAddress): MessageInitShape<typeof AddressSchema> {
  if ("path" in address) return { address: { case: "pipe", value: { path: address.path } } };
  return socketAddress(address.address, address.port);
}
