import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { encodeMessage } from "../api/type-url.ts";

import type { RouteConfiguration, VirtualHost } from "../model/route.ts";
import { createResource, joinResource, versionOf } from "./resource.ts";

import { encodeVirtualHost, virtualHostMessage } from "./route.ts";
import type { XdsResource } from "./snapshot.ts";
import { ADS, duration } from "./wire.ts";

/** As much as a VirtualService may hold; a proxy's own limit is 4096. */
const DIRECT_BODY_BYTES_MAX = 1024 * 1024;

/**
 * Virtual hosts come over the same stream. A listener waits for the first of its routes, but not for
 * ever: where none comes, each is asked for when a request needs it.
 */
const ON_DEMAND = { configSource: { ...ADS, initialFetchTimeout: duration(5000) } };

/**
 * Puts encoded virtual hosts together. They are most of the bytes, and a change touches few of
 * them, so only those few are encoded again; the rest is copied.
 */
export function encodeRouteConfiguration(
  { name, ignoresPort, isOnDemand = false, virtualHosts: hostValues }: RouteConfiguration,
  countsAttempts: boolean,
): XdsResource {
  const hosts = hostValues.map((host) => encodeVirtualHost(host, countsAttempts));
  const { name: nameField } = RouteConfigurationSchema.field;
  const head = new BinaryWriter().tag(nameField.number, WireType.LengthDelimited).string(name);
  const rest = encodeMessage(
    RouteConfigurationSchema,
    create(RouteConfigurationSchema, {
      // A route may name a cluster that is not there (yet): its requests get 503, all others go on.
      validateClusters: false,
      ignorePortInHostMatching: ignoresPort,
      maxDirectResponseBodySizeBytes: DIRECT_BODY_BYTES_MAX,
      ...(isOnDemand && { vhds: ON_DEMAND }),
    }),
  );
  const body = Buffer.concat([head.finish(), ...hosts.map(({ entry }) => entry), rest]);
  const references = new Set<string>();
  for (const { clusters } of hosts) for (const cluster of clusters) references.add(cluster);
  const settings = { version: versionOf(rest), origins: [] };
  return joinResource(body, [settings, ...hosts], { name, references: [...references] });
}

/** A virtual host that is a resource of its own, for routes that have theirs asked for. */
export function encodeCalledHost(host: VirtualHost, countsAttempts: boolean): XdsResource {
  const { name, bytes, origins, clusters } = encodeVirtualHost(host, countsAttempts);
  return createResource(bytes, { name, origins, references: clusters });
}

/** A route configuration that stands inside a listener. */
export function inlineRouteConfiguration(
  { name, virtualHosts }: RouteConfiguration,
  countsAttempts: boolean,
): MessageInitShape<typeof RouteConfigurationSchema> {
  return {
    name,
    validateClusters: false,
    virtualHosts: virtualHosts.map((host) => virtualHostMessage(host, countsAttempts)),
  };
}
