import type { ClientStatus, KindStatus } from "../ads/client-status.ts";
import { RESOURCE_TYPE_URL } from "../api/type-url.ts";
import type { Locality } from "../model/endpoint.ts";
import type { Mesh } from "../model/mesh.ts";
import type { ProxyNode } from "../model/proxy.ts";
import { scopeOf } from "../model/scope.ts";
import { serviceTargets } from "../model/service-targets.ts";
import { RESOURCE_KINDS, type ResourceKind } from "../xds/snapshot.ts";
import { JsonList, JsonRecord } from "./json-chunks.ts";
import { portJson, serviceJson } from "./registry-json.ts";

/** A proxy that is connected: what discovery knows of it, and how it introduced itself. */
export interface KnownProxy {
  readonly client: ClientStatus;
  readonly node: ProxyNode;
}

/** The kinds that a client ever asked for. */
export function askedKinds({ kinds }: ClientStatus): readonly ResourceKind[] {
  return RESOURCE_KINDS.filter((kind) => kinds[kind].state !== "NOT SENT");
}

/** istiod's `ResourceStatus` by type URL, a part of `/debug/syncz`. */
export function resourceStatuses(client: ClientStatus): unknown {
  return Object.fromEntries(
    askedKinds(client).map((kind) => [RESOURCE_TYPE_URL[kind], resourceStatus(client.kinds[kind])]),
  );
}

function resourceStatus(status: KindStatus): unknown {
  const { sentNonce, ackedNonce, sentAtMs, nackedMessage, state } = status;
  return {
    sent: sentNonce,
    acked: ackedNonce,
    sentTime: sentAtMs === undefined ? undefined : new Date(sentAtMs).toISOString(),
    lastError: state === "NACKED" ? nackedMessage : undefined,
  };
}

/** `/debug/adsz`: the clients, with what each asks for. */
export function adsJson(proxies: readonly KnownProxy[]): JsonRecord {
  return clientsJson(proxies, ({ client, node }) => ({
    labels: node.labels,
    metadata: client.node.metadata,
    locality: localityJson(node.locality),
    watches: Object.fromEntries(
      // One who asks for all names nothing.
      askedKinds(client).map((kind) => [
        RESOURCE_TYPE_URL[kind],
        [...(client.kinds[kind].names ?? [])],
      ]),
    ),
    // What follows is weft's own.
    agent: client.node.userAgent,
    variant: client.variant,
    isSettled: client.isSettled,
  }));
}

/** `/debug/connections`: the same without what they ask for. */
export function connectionsJson(proxies: readonly KnownProxy[]): JsonRecord {
  return clientsJson(proxies, () => ({}));
}

function clientsJson(
  proxies: readonly KnownProxy[],
  more: (proxy: KnownProxy) => object,
): JsonRecord {
  const sorted = proxies.toSorted((a, b) => (a.client.clientId < b.client.clientId ? -1 : 1));
  const clients = function* (): Generator<unknown> {
    for (const proxy of sorted) {
      const { clientId, connectedAtMs, peer } = proxy.client;
      yield {
        connectionId: clientId,
        connectedAt: new Date(connectedAtMs).toISOString(),
        address: peer,
        ...more(proxy),
      };
    }
  };
  return new JsonRecord(() => [
    ["totalClients", sorted.length],
    ["clients", new JsonList(clients)],
  ]);
}

function localityJson({ region, zone, subzone }: Locality): unknown {
  return region === "" ? undefined : { region, zone, sub_zone: subzone };
}

/** `/debug/instancesz`: by proxy, the service ports that lead to it. */
export function instancesJson(mesh: Mesh, proxies: readonly KnownProxy[]): JsonRecord {
  return new JsonRecord(function* () {
    for (const { node } of proxies) {
      yield [
        `${node.name}.${node.namespace}`,
        serviceTargets(mesh, node).map(({ service, port, targetPort }) => ({
          Service: serviceJson(service),
          Port: { ServicePort: portJson(port), TargetPort: targetPort },
        })),
      ];
    }
  });
}

/** `/debug/sidecarz`: what one proxy may see. */
export function sidecarJson(mesh: Mesh, node: ProxyNode): JsonRecord {
  const scope = scopeOf(mesh, node);
  const { sidecar } = scope;
  const hosts = new Set(scope.services.keys());
  const rules = mesh.destinationRules.filter(({ host }) => hosts.has(host));
  return new JsonRecord(() => [
    ["name", sidecar?.key.name ?? "default-sidecar"],
    ["namespace", scope.namespace],
    ["outboundTrafficPolicy", { mode: scope.outboundMode }],
    ["services", new JsonList(() => mapped(scope.services.values(), serviceJson))],
    [
      "egressListenerServices",
      new JsonList(() =>
        mapped(
          scope.egress,
          ({ services }) => new JsonList(() => mapped(services.values(), serviceJson)),
        ),
      ),
    ],
    ["sidecar", sidecar?.object.spec],
    ["destinationRules", new JsonList(() => mapped(rules, ({ object }) => object))],
  ]);
}

function* mapped<T>(values: Iterable<T>, change: (value: T) => unknown): Generator<unknown> {
  for (const value of values) yield change(value);
}
