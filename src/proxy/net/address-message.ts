import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AddressSchema } from "../../api/gen/envoy/config/core/v3/address_pb.js";
import type { PeerAddress } from "../../match/connection-info.ts";

/** An address as Envoy's message. */
export function addressMessage({
  address,
  port,
}: PeerAddress): MessageInitShape<typeof AddressSchema> {
  if (port === 0 && address.startsWith("/")) {
    return { address: { case: "pipe", value: { path: address } } };
  }
  const value = { address, portSpecifier: { case: "portValue" as const, value: port } };
  return { address: { case: "socketAddress", value } };
}
