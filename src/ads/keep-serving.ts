/**
 * Endpoints while routes move (DESIGN: make before break): a cluster that the old routes still name
 * does not lose its last endpoint before the new routes are there.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { HealthStatus } from "../api/gen/envoy/config/core/v3/health_check_pb.js";
import { ClusterLoadAssignmentSchema } from "../api/gen/envoy/config/endpoint/v3/endpoint_pb.js";
import { memoise } from "../base/memo.ts";
import { layeredMap, layersOf, type ResourceMap, resourceChanges } from "../xds/resource-map.ts";
import type { XdsResource } from "../xds/snapshot.ts";

const NONE: ResourceMap = new Map();

/** Endpoints that no proxy sends to. */
const AWAY: ReadonlySet<HealthStatus> = new Set([
  HealthStatus.UNHEALTHY,
  HealthStatus.DRAINING,
  HealthStatus.TIMEOUT,
]);

/**
 * The next endpoints, but of a cluster that has some now and is to have none those that it has.
 *
 * Fewer endpoints are enough to answer, and new ones answer as well: only when the last one goes
 * is a request lost that the new routes would have sent elsewhere. An endpoint that is gone already
 * costs nothing: its requests fail either way, until the routes have moved.
 */
export function keepServing(next: ResourceMap, now: ResourceMap): ResourceMap {
  if (next === now) return next;
  const before = layersOf(now);
  return layeredMap(
    ...layersOf(next).map((layer, index) => keepInLayer(layer, before[index] ?? NONE)),
  );
}

/** Found once for all proxies that share the layers. */
const keepInLayer = memoise((next: ResourceMap, now: ResourceMap): ResourceMap => {
  const kept: XdsResource[] = [];
  for (const name of resourceChanges(now, next).changed) {
    const [before, after] = [now.get(name), next.get(name)];
    if (before === undefined || after === undefined) continue;
    if (isServing(before) && !isServing(after)) kept.push(before);
  }
  if (kept.length === 0) return next;
  const layer = new Map(next);
  for (const resource of kept) layer.set(resource.name, resource);
  return layer;
});

const isServing = memoise(({ body }: XdsResource): boolean =>
  fromBinary(ClusterLoadAssignmentSchema, body).endpoints.some(({ lbEndpoints }) =>
    lbEndpoints.some(({ healthStatus }) => !AWAY.has(healthStatus)),
  ),
);
