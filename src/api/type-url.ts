import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";

/** The types of resource that discovery carries, by the names weft uses for them. */
export const RESOURCE_TYPE_URL = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  virtualHost: "type.googleapis.com/envoy.config.route.v3.VirtualHost",
  secret: "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
} as const;

/** The type URL of a message, as it stands in an `Any`. */
export function typeUrlOf(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`;
}

/**
 * Wraps a message. Fields and map keys are written in a fixed order (`encodeMessage`), so that
 * equal messages have equal bytes.
 */
export function packAny<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Any {
  return {
    $typeName: AnySchema.typeName,
    typeUrl: typeUrlOf(schema),
    value: encodeMessage(schema, message),
  };
}

/** The message inside, or `undefined` when the `Any` holds another type. Throws on broken bytes. */
export function unpackAny<Desc extends DescMessage>(
  schema: Desc,
  any: Any,
): MessageShape<Desc> | undefined {
  if (any.typeUrl !== typeUrlOf(schema)) return undefined;
  return fromBinary(schema, any.value);
}

/**
 * The bytes of a message. Protobuf promises no order for maps and the runtime writes them as they
 * were filled: who builds a message with a map fills it sorted.
 */
export function encodeMessage<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): Uint8Array {
  return toBinary(schema, message);
}
