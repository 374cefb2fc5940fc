/** Discovery messages, read and written no further than a load client must. */
import { delimited, eachField, lastAt, textAt } from "./wire-fields.ts";

/** Kinds that a sidecar asks for. */
export type WireKind = "cluster" | "endpoint" | "listener" | "route";

/** How a client speaks with the control plane. */
export const VARIANTS = ["sotw", "delta"] as const;
export type Variant = (typeof VARIANTS)[number];

export const METHOD_PATH: Readonly<Record<Variant, string>> = {
  sotw: "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
  delta: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
};

const TYPE_URL: Readonly<Record<WireKind, string>> = {
  cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  endpoint: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
  route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
};

const CONNECTION_MANAGER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

const DISCOVERY_TYPE_EDS = 3;

/** A response, of either variant. */
export interface WireResponse {
  readonly kind: WireKind | undefined;
  readonly version: string;
  readonly nonce: string;
  /** The fields of its resources, as they came, from the first to the last. */
  readonly resources: Buffer;
  /** Delta alone. */
  readonly removed: readonly string[];
}

/** What the names of further resources are taken from. */
export interface NamedResource {
  readonly name: string;
  /** Of a cluster: its endpoints' name; of a listener: its route configurations'. */
  readonly asksFor: readonly string[];
}

/** Reads a `DiscoveryResponse` or a `DeltaDiscoveryResponse`, whose numbers agree up to 5. */
export function readResponse(variant: Variant, message: Buffer): WireResponse {
  let [version, typeUrl, nonce] = ["", "", ""];
  let from = 0;
  let end = 0;
  const removed: string[] = [];
  eachField(message, (field) => {
    if (field.number === 1) version = field.bytes.toString();
    else if (field.number === 2) {
      if (end === 0) from = field.from;
      end = field.end;
    } else if (field.number === 4) typeUrl = field.bytes.toString();
    else if (field.number === 5) nonce = field.bytes.toString();
    else if (field.number === 6 && variant === "delta") removed.push(field.bytes.toString());
  });
  const kind = (Object.keys(TYPE_URL) as WireKind[]).find((one) => TYPE_URL[one] === typeUrl);
  return { kind, version, nonce, resources: message.subarray(from, end), removed };
}

/** The resources of a response, in order. */
export function readResources(
  variant: Variant,
  kind: WireKind,
  bytes: Buffer,
): readonly NamedResource[] {
  const found: NamedResource[] = [];
  eachField(bytes, (field) => {
    if (field.number !== 2) return;
    // State of the world has an Any (its value is field 2), delta a Resource (field 2 is the Any).
    const body = lastAt(field.bytes, ...(variant === "sotw" ? [2] : [2, 2])) ?? Buffer.alloc(0);
    found.push({
      // The name is field 1 in all four of them.
      name: textAt(body, 1),
      asksFor: asksFor(kind, body),
    });
  });
  return found;
}

function asksFor(kind: WireKind, body: Buffer): readonly string[] {
  if (kind === "cluster") return endpointNames(body);
  return kind === "listener" ? routeNames(body) : [];
}

/** `Cluster`: name 1, type 2, eds_cluster_config 3 with service_name 2. */
function endpointNames(cluster: Buffer): readonly string[] {
  let [name, service, type] = ["", "", 0];
  eachField(cluster, (field) => {
    if (field.number === 1) name = field.bytes.toString();
    else if (field.number === 2) type = field.value;
    else if (field.number === 3) service = textAt(field.bytes, 2);
  });
  if (type !== DISCOVERY_TYPE_EDS) return [];
  return [service === "" ? name : service];
}

/**
 * `Listener`: filter_chains 3 and default_filter_chain 25, of those filters 3, of those typed_config
 * 4, of a connection manager rds 3, of that route_config_name 2.
 */
function routeNames(listener: Buffer): readonly string[] {
  const names: string[] = [];
  eachField(listener, (chain) => {
    if (chain.number !== 3 && chain.number !== 25) return;
    eachField(chain.bytes, (filter) => {
      if (filter.number !== 3) return;
      const config = lastAt(filter.bytes, 4);
      if (config === undefined || textAt(config, 1) !== CONNECTION_MANAGER) return;
      const name = lastAt(config, 2, 3, 2)?.toString();
      if (name !== undefined && name !== "") names.push(name);
    });
  });
  return names;
}

/** What a state-of-the-world request says; without a node from the second request on. */
export interface SotwRequest {
  readonly kind: WireKind;
  readonly version: string;
  readonly nonce: string;
  /** Made by `nameFields`, as it repeats. */
  readonly names: Buffer;
  readonly node?: Uint8Array;
}

/** A `DiscoveryRequest`. */
export function sotwRequest({ kind, version, nonce, names, node }: SotwRequest): Buffer {
  return Buffer.concat([
    ...(version === "" ? [] : [delimited(1, version)]),
    ...(node === undefined ? [] : [delimited(2, node)]),
    names,
    delimited(4, TYPE_URL[kind]),
    ...(nonce === "" ? [] : [delimited(5, nonce)]),
  ]);
}

/** What an incremental request says. */
export interface DeltaRequest {
  readonly kind: WireKind;
  readonly nonce: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly node?: Uint8Array;
}

/** A `DeltaDiscoveryRequest`. */
export function deltaRequest(request: DeltaRequest): Buffer {
  const { kind, nonce, subscribe, unsubscribe, node } = request;
  return Buffer.concat([
    ...(node === undefined ? [] : [delimited(1, node)]),
    delimited(2, TYPE_URL[kind]),
    nameFields(subscribe),
    ...unsubscribe.map((name) => delimited(4, name)),
    ...(nonce === "" ? [] : [delimited(6, nonce)]),
  ]);
}

/** Names as field 3, which is `resource_names` in one variant and what is subscribed to in the other. */
export function nameFields(names: readonly string[]): Buffer {
  return Buffer.concat(names.map((name) => delimited(3, name)));
}
