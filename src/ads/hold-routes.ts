/**
 * Holds routes back that name clusters which a client does not have (DESIGN: make before break).
 * Only the virtual hosts that name one stay in their last good form; the others move on.
 */
import { createHash } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type {
  RouteAction,
  VirtualHost,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../api/gen/envoy/config/route/v3/route_pb.js";
import { memoise } from "../base/memo.ts";
import type { ResourceMap } from "../xds/resource-map.ts";
import type { XdsResource } from "../xds/snapshot.ts";

const VERSION_LENGTH = 16;

/** Route configurations to hand out, and which virtual hosts in them are not the newest. */
export interface HeldRoutes {
  readonly routes: ResourceMap;
  /** `route configuration/virtual host`. */
  readonly held: readonly string[];
}

/**
 * The next routes, with the virtual hosts that name a missing cluster as they were in the last
 * good routes. One that was never there before is handed out as it is: its requests are answered
 * 503 either way.
 */
export function holdRoutes(
  next: ResourceMap,
  lastGood: ResourceMap,
  missing: ReadonlySet<string>,
): HeldRoutes {
  if (missing.size === 0) return { routes: next, held: [] };
  const held: string[] = [];
  const routes = new Map<string, XdsResource>();
  for (const [name, resource] of next) {
    const before = lastGood.get(name);
    const lacking = resource.references.filter((cluster) => missing.has(cluster));
    if (lacking.length === 0 || before === undefined) routes.set(name, resource);
    else {
      const kept = keep(resource, before, lacking.join("\n"));
      routes.set(name, kept.resource);
      held.push(...kept.held);
    }
  }
  return held.length === 0 ? { routes: next, held } : { routes, held };
}

/**
 * Done once for all clients that lack the same clusters (names on a line each): where many are slow
 * at one moment, all of them lack what was added last, and a route configuration may be large.
 */
const keep = memoise((next: XdsResource, before: XdsResource, lacking: string): KeptRoutes => {
  const missing = new Set(lacking.split("\n"));
  const held: string[] = [];
  const config = fromBinary(RouteConfigurationSchema, next.body);
  const earlier = new Map(
    fromBinary(RouteConfigurationSchema, before.body).virtualHosts.map((host) => [host.name, host]),
  );
  const isReplaced = (host: VirtualHost): boolean =>
    earlier.has(host.name) && clustersOf(host).some((cluster) => missing.has(cluster));
  // A domain may stand in one virtual host only; the newest owner has it.
  const taken = new Set(
    config.virtualHosts.filter((host) => !isReplaced(host)).flatMap(({ domains }) => domains),
  );
  const virtualHosts = config.virtualHosts.flatMap((host) => {
    const old = earlier.get(host.name);
    if (old === undefined || !isReplaced(host)) return [host];
    held.push(`${next.name}/${host.name}`);
    const domains = old.domains.filter((domain) => !taken.has(domain));
    old.domains = domains;
    return domains.length === 0 ? [] : [old];
  });
  if (held.length === 0) return { resource: next, held };
  config.virtualHosts = virtualHosts;
  const body = toBinary(RouteConfigurationSchema, config);
  if (Buffer.compare(body, before.body) === 0) return { resource: before, held };
  const resource = {
    name: next.name,
    version: createHash("sha256").update(body).digest("hex").slice(0, VERSION_LENGTH),
    body,
    origins: next.origins,
    references: [...new Set(virtualHosts.flatMap(clustersOf))].sort(),
  };
  return { resource, held };
});

interface KeptRoutes {
  readonly resource: XdsResource;
  readonly held: readonly string[];
}

/** The same of virtual hosts that come one by one: what is held is the whole resource. */
export function holdVirtualHosts(
  next: ResourceMap,
  lastGood: ResourceMap,
  missing: ReadonlySet<string>,
): HeldRoutes {
  if (missing.size === 0) return { routes: next, held: [] };
  const held = [...next.values()].filter(
    ({ name, references }) =>
      lastGood.has(name) && references.some((cluster) => missing.has(cluster)),
  );
  if (held.length === 0) return { routes: next, held: [] };
  const kept = held.flatMap(({ name }) => {
    const before = lastGood.get(name);
    return before === undefined ? [] : [[name, before] as const];
  });
  return { routes: new Map([...next, ...kept]), held: held.map(({ name }) => name) };
}

/**
 * The next clusters (or endpoints), and of those that are offered the ones that routes still name:
 * what is held back must go on working.
 */
export function keepNamed(
  next: ResourceMap,
  offered: ResourceMap,
  ...routes: readonly ResourceMap[]
): ResourceMap {
  const named = new Set(
    routes.flatMap((map) => [...map.values()].flatMap(({ references }) => references)),
  );
  const extra = [...offered].filter(([name]) => !next.has(name) && named.has(name));
  return extra.length === 0 ? next : new Map([...next, ...extra]);
}

/** Every cluster that a virtual host names. */
function clustersOf(host: VirtualHost): string[] {
  const mirrors = host.requestMirrorPolicies.map(({ cluster }) => cluster);
  const routed = host.routes.flatMap(({ action }) =>
    action.case === "route" ? clustersOfAction(action.value) : [],
  );
  return [...mirrors, ...routed].filter((cluster) => cluster !== "");
}

function clustersOfAction({ clusterSpecifier, requestMirrorPolicies }: RouteAction): string[] {
  const mirrors = requestMirrorPolicies.map(({ cluster }) => cluster);
  if (clusterSpecifier.case === "cluster") return [clusterSpecifier.value, ...mirrors];
  if (clusterSpecifier.case !== "weightedClusters") return mirrors;
  return [...clusterSpecifier.value.clusters.map(({ name }) => name), ...mirrors];
}
