/** Discovery messages, read and written no further than a load client must. */
import { delimited, FieldReader } from "./wire-fields.ts";

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
  const fields = new FieldReader(message);
  while (fields.next()) {
    if (fields.number === 1) version = fields.text();
    else if (fields.number === 2) {
      if (end === 0) from = fields.from;
      end = fields.contentEnd;
    } else if (fields.number === 4) typeUrl = fields.text();
    else if (fields.number === 5) nonce = fields.text();
    else if (fields.number === 6 && variant === "delta") removed.push(fields.text());
  }
  const kind = (Object.keys(TYPE_URL) as WireKind[]).find((one) => TYPE_URL[one] === typeUrl);
  return { kind, version, nonce, resources: message.subarray(from, end), removed };
}

/** What was read of the resources of a response. */
export interface ReadResources {
  readonly bytes: Buffer;
  readonly found: readonly NamedResource[];
  /** Where each of them begins in the bytes, and where the last ends. */
  readonly starts: readonly number[];
}

/** The resources of a response, in order. What is as in `before` is taken from there. */
export function readResources(
  variant: Variant,
  kind: WireKind,
  bytes: Buffer,
  before: ReadResources | undefined,
): ReadResources {
  const found: NamedResource[] = [];
  const starts: number[] = [0];
  const fields = new FieldReader(bytes);
  let next = 0;
  while (fields.next()) {
    starts.push(fields.contentEnd);
    if (fields.number !== 2) continue;
    const [from, end] = [fields.from, fields.contentEnd];
    // One of them may have been left out, or another have come between.
    const at = [next, next + 1].find((one) => isSame(before, one, bytes, from, end));
    const known = at === undefined ? undefined : before?.found[at];
    found.push(known ?? readResource(variant, kind, fields.inside()));
    if (at !== undefined) next = at + 1;
  }
  return { bytes, found, starts };
}

function isSame(
  before: ReadResources | undefined,
  at: number,
  bytes: Buffer,
  from: number,
  end: number,
): boolean {
  const start = before?.starts[at];
  const limit = before?.starts[at + 1];
  if (before === undefined || start === undefined || limit === undefined) return false;
  if (limit - start !== end - from) return false;
  return bytes.compare(before.bytes, start, limit, from, end) === 0;
}

/** State of the world has an Any (its value is field 2), delta a Resource (field 2 is the Any). */
function readResource(variant: Variant, kind: WireKind, resource: FieldReader): NamedResource {
  let body = resource;
  for (let depth = variant === "sotw" ? 1 : 2; depth > 0; depth--) {
    if (!body.find(2)) return { name: "", asksFor: [] };
    body = body.inside();
  }
  return kind === "listener" ? readListener(body) : readNamed(kind, body);
}

/**
 * The name is field 1 in all of them. `Cluster`: type 2, eds_cluster_config 3 with service_name 2.
 */
function readNamed(kind: WireKind, body: FieldReader): NamedResource {
  let [name, service, type] = ["", "", 0];
  while (body.next()) {
    if (body.number === 1) name = body.text();
    if (kind !== "cluster") {
      if (name !== "") break;
    } else if (body.number === 2) type = body.value;
    else if (body.number === 3) {
      const eds = body.inside();
      if (eds.find(2)) service = eds.text();
    }
  }
  if (type !== DISCOVERY_TYPE_EDS) return { name, asksFor: [] };
  return { name, asksFor: [service === "" ? name : service] };
}

/**
 * `Listener`: filter_chains 3 and default_filter_chain 25, of those filters 3, of those typed_config
 * 4, of a connection manager rds 3, of that route_config_name 2.
 */
function readListener(listener: FieldReader): NamedResource {
  let name = "";
  const asksFor: string[] = [];
  while (listener.next()) {
    if (listener.number === 1) name = listener.text();
    if (listener.number !== 3 && listener.number !== 25) continue;
    const chain = listener.inside();
    while (chain.find(3)) {
      const route = routeName(chain.inside());
      if (route !== undefined) asksFor.push(route);
    }
  }
  return { name, asksFor };
}

function routeName(filter: FieldReader): string | undefined {
  if (!filter.find(4)) return undefined;
  const any = filter.inside();
  if (!any.find(1) || any.text() !== CONNECTION_MANAGER || !any.find(2)) return undefined;
  const manager = any.inside();
  if (!manager.find(3)) return undefined;
  const rds = manager.inside();
  return rds.find(2) ? rds.text() : undefined;
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
  /** Made by `nameFields`. */
  readonly subscribe: Buffer;
  readonly unsubscribe: readonly string[];
  readonly node?: Uint8Array;
}

/** A `DeltaDiscoveryRequest`. */
export function deltaRequest(request: DeltaRequest): Buffer {
  const { kind, nonce, subscribe, unsubscribe, node } = request;
  return Buffer.concat([
    ...(node === undefined ? [] : [delimited(1, node)]),
    delimited(2, TYPE_URL[kind]),
    subscribe,
    ...unsubscribe.map((name) => delimited(4, name)),
    ...(nonce === "" ? [] : [delimited(6, nonce)]),
  ]);
}

/** Names as field 3, which is `resource_names` in one variant and what is subscribed to in the other. */
export function nameFields(names: readonly string[]): Buffer {
  return Buffer.concat(names.map((name) => delimited(3, name)));
}
