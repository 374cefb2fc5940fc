import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CidrRangeSchema } from "../api/gen/envoy/config/core/v3/address_pb.js";
import type { FilterChainMatchSchema } from "../api/gen/envoy/config/listener/v3/listener_components_pb.js";
import type { FilterChainMatch } from "../model/listener.ts";

/** Which connections a chain takes, on the wire. */
export function chainMatch(
  match: FilterChainMatch,
): MessageInitShape<typeof FilterChainMatchSchema> {
  const { destinationPort, prefixRanges = [], sourcePrefixRanges = [] } = match;
  return {
    ...(destinationPort !== undefined && { destinationPort }),
    prefixRanges: prefixRanges.map(cidr),
    sourcePrefixRanges: sourcePrefixRanges.map(cidr),
    serverNames: [...(match.serverNames ?? [])],
    transportProtocol: match.transportProtocol ?? "",
    applicationProtocols: [...(match.applicationProtocols ?? [])],
  };
}

/** `10.0.0.0/8`; an address alone is all of it. */
function cidr(text: string): MessageInitShape<typeof CidrRangeSchema> {
  const [address = "", length] = text.split("/");
  const whole = address.includes(":") ? 128 : 32;
  return {
    addressPrefix: address,
    prefixLen: length === undefined ? whole : Number.parseInt(length, 10),
  };
}
