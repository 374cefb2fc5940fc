import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type {
  Cluster as ClusterMessage,
  ClusterSchema,
} from "../api/gen/envoy/config/cluster/v3/cluster_pb.js";
import type { AddressSchema } from "../api/gen/envoy/config/core/v3/address_pb.js";
import {
  ApiVersion,
  type ConfigSourceSchema,
} from "../api/gen/envoy/config/core/v3/config_source_pb.js";

/** Some fields of a cluster, to be put together with others. */
export type ClusterFields = Exclude<MessageInitShape<typeof ClusterSchema>, ClusterMessage>;

/** Nothing at all: no timeout, or no wait. */
export const ZERO: Duration = duration(0);

/** A span of milliseconds, fractions allowed. */
export function duration(ms: number): Duration {
  return {
    $typeName: "google.protobuf.Duration",
    seconds: BigInt(Math.trunc(ms / 1000)),
    nanos: Math.round((ms % 1000) * 1_000_000),
  };
}

/** "Ask on the stream that this came on", and wait for the answer however long it takes. */
export const ADS = {
  configSourceSpecifier: { case: "ads", value: {} },
  initialFetchTimeout: ZERO,
  resourceApiVersion: ApiVersion.V3,
} satisfies MessageInitShape<typeof ConfigSourceSchema>;

/** A TCP address. */
export function socketAddress(
  address: string,
  port: number,
): MessageInitShape<typeof AddressSchema> {
  return {
    address: {
      case: "socketAddress",
      value: { address, portSpecifier: { case: "portValue", value: port } },
    },
  };
}

/** The address of an endpoint: a Unix domain socket where it has no port. */
export function endpointAddress(
  address: string,
  port: number,
): MessageInitShape<typeof AddressSchema> {
  if (port !== 0) return socketAddress(address, port);
  return { address: { case: "pipe", value: { path: address } } };
}
