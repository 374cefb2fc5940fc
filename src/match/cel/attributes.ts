import type { CelInput, CelUint } from "@bufbuild/cel";
import { create } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { formatHostPort } from "../../base/ip.ts";
import type { PeerAddress, TlsInfo } from "../connection-info.ts";
import { encodePem } from "../format/tls-operators.ts";
import { readGrpcStatus } from "../grpc-status.ts";
import type { MetadataValue } from "../match-request.ts";
import { flagBits } from "../response-flags.ts";
import type { HeaderSource, MetadataKind, StreamInfo } from "../stream-info.ts";
import { utf8Text } from "../wire-text.ts";
import { celPackages } from "./packages.ts";

type Read<Of> = (of: Of) => CelInput | undefined;
/** What may be asked of something, by its name. */
type Readers<Of> = Readonly<Record<string, Read<Of>>>;

/** A map whose values are read when they are asked for; only headers can be listed. */
class LazyMap extends Map<string, CelInput> {
  readonly #read: (key: string) => CelInput | undefined;
  readonly #list: () => readonly string[];

  constructor(
    read: (key: string) => CelInput | undefined,
    list: () => readonly string[] = () => [],
  ) {
    super();
    this.#read = read;
    this.#list = list;
  }

  override get(key: string): CelInput | undefined {
    return typeof key === "string" ? this.#read(key) : undefined;
  }
  override get size(): number {
    return this.#list().length;
  }
  override *entries(): MapIterator<[string, CelInput]> {
    for (const key of this.#list()) yield [key, this.#read(key) ?? null];
  }
}

function lazy<Of>(readers: Readers<Of>, of: Of): LazyMap {
  return new LazyMap((key) => (Object.hasOwn(readers, key) ? readers[key]?.(of) : undefined));
}

const text = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : utf8Text(value);
const filled = (value: string | undefined): string | undefined => text(value || undefined);
const unsigned = (value: number): CelUint => celPackages().celUint(BigInt(value));
const whole = (value: number): bigint => BigInt(Math.trunc(value));

/** `ms` with what is behind the point; whole nanoseconds. */
function spanOf(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.floor((ms - seconds * 1000) * 1e6) };
}

function between(from: number, to: number): CelInput | undefined {
  return from < 0 || to < 0 ? undefined : create(DurationSchema, spanOf(to - from));
}

function headers(info: StreamInfo, source: HeaderSource): LazyMap {
  const read: Readonly<Record<HeaderSource, (name: string) => string | undefined>> = {
    request: (name) => info.requestHeader(name),
    response: (name) => info.responseHeader(name),
    trailers: (name) => info.responseTrailer(name),
  };
  return new LazyMap(
    (key) => text(read[source](key.toLowerCase())),
    () => info.headerNames(source),
  );
}

function requestSize(info: StreamInfo): bigint | undefined {
  const given = info.requestHeader("content-length");
  if (given === undefined) return whole(info.bytesReceived);
  return /^\d+$/.test(given) ? BigInt(given) : undefined;
}

const header =
  (name: string): Read<StreamInfo> =>
  (info) =>
    text(info.requestHeader(name));

const splitPath = (info: StreamInfo): readonly [string, string] => {
  const path = info.requestHeader(":path") ?? "";
  const at = path.indexOf("?");
  return at === -1 ? [path, ""] : [path.substring(0, at), path.substring(at + 1)];
};

const REQUEST: Readers<StreamInfo> = {
  headers: (info) => headers(info, "request"),
  headers_bytes: (info) => whole(info.requestHeadersBytes),
  time: (info) => create(TimestampSchema, spanOf(info.startMs)),
  size: requestSize,
  total_size: (info) => whole(info.bytesReceived + info.requestHeadersBytes),
  duration: ({ durationMs }) => between(0, durationMs),
  protocol: (info) => info.protocol,
  path: header(":path"),
  url_path: (info) =>
    info.requestHeader(":path") === undefined ? undefined : text(splitPath(info)[0]),
  query: (info) =>
    info.requestHeader(":path") === undefined ? undefined : text(splitPath(info)[1].split("#")[0]),
  host: header(":authority"),
  scheme: header(":scheme"),
  method: header(":method"),
  referer: header("referer"),
  id: header("x-request-id"),
  useragent: header("user-agent"),
};

const RESPONSE: Readers<StreamInfo> = {
  code: ({ status }) => (status === 0 ? undefined : whole(status)),
  size: (info) => whole(info.bytesSent),
  headers: (info) => headers(info, "response"),
  headers_bytes: (info) => whole(info.responseHeadersBytes),
  trailers: (info) => headers(info, "trailers"),
  flags: ({ flag }) => whole(flagBits(flag)),
  grpc_status: (info) => {
    const status = readGrpcStatus(info);
    return status === undefined ? undefined : whole(status);
  },
  total_size: (info) =>
    whole(info.bytesSent + info.responseHeadersBytes + info.responseTrailersBytes),
  code_details: ({ details }) => filled(details),
  backend_latency: (info) => between(info.timeMs("US_TX_BEG"), info.timeMs("US_RX_END")),
};

const TLS: Readers<TlsInfo> = {
  tls_version: ({ version }) => version,
  subject_local_certificate: ({ local }) => text(local?.subject ?? ""),
  subject_peer_certificate: ({ peer }) => text(peer?.subject ?? ""),
  uri_san_local_certificate: ({ local }) => text(local?.uriSans[0]),
  uri_san_peer_certificate: ({ peer }) => text(peer?.uriSans[0]),
  dns_san_local_certificate: ({ local }) => text(local?.dnsSans[0]),
  dns_san_peer_certificate: ({ peer }) => text(peer?.dnsSans[0]),
  sha256_peer_certificate_digest: ({ peer }) => peer?.sha256,
  peer_certificate: ({ peer }) => encodePem(peer?.pem),
};

const ofTls = (side: (info: StreamInfo) => TlsInfo | undefined): Readers<StreamInfo> =>
  Object.fromEntries(
    Object.entries(TLS).map(([name, read]) => [
      name,
      (info: StreamInfo) => {
        const tls = side(info);
        return tls && read(tls);
      },
    ]),
  );

const CONNECTION: Readers<StreamInfo> = {
  mtls: ({ connection }) => connection.tls?.peer !== undefined,
  requested_server_name: ({ connection }) => connection.serverName,
  id: ({ connection }) => unsigned(connection.id),
  termination_details: (info) => filled(info.terminationDetails),
  transport_failure_reason: ({ connection }) => filled(connection.transportFailure),
  ...ofTls(({ connection }) => connection.tls),
};

const addressText = (address: PeerAddress | undefined): string | undefined => {
  if (address === undefined) return undefined;
  const { address: host, port } = address;
  return host.startsWith("/") ? text(host) : formatHostPort(host, port);
};

const UPSTREAM: Readers<StreamInfo> = {
  address: ({ upstream }) => text(upstream.host),
  port: ({ upstream: { host } }) =>
    host === undefined || host.startsWith("/")
      ? undefined
      : BigInt(host.substring(host.lastIndexOf(":") + 1)),
  local_address: ({ upstream }) => addressText(upstream.localAddress),
  locality: ({ upstream: { locality } }) =>
    locality && { region: locality.region, zone: locality.zone, sub_zone: locality.subZone },
  transport_failure_reason: ({ upstream: { attempts, transportFailure } }) =>
    attempts === 0 ? undefined : text(transportFailure),
  cx_pool_ready_duration: ({ upstream: { poolReadyMs } }) => between(0, poolReadyMs),
  request_attempt_count: ({ upstream }) => unsigned(upstream.attempts),
  num_endpoints: ({ upstream: { endpoints } }) =>
    endpoints === undefined ? undefined : unsigned(endpoints),
  ...ofTls(({ upstream }) => upstream.tls),
};

const SOURCE: Readers<StreamInfo> = {
  address: ({ remote }) => addressText(remote),
  port: ({ remote }) => BigInt(remote.port),
};

const DESTINATION: Readers<StreamInfo> = {
  address: ({ connection }) => addressText(connection.local),
  port: ({ connection }) => BigInt(connection.local.port),
};

/** Metadata as the message that it is in Envoy. */
function metadataOf(read: (namespace: string) => MetadataValue | undefined): LazyMap {
  const byNamespace = new LazyMap((namespace) => read(namespace) as CelInput | undefined);
  return new LazyMap((key) => (key === "filter_metadata" ? byNamespace : undefined));
}

/** That of something which is there or not. */
const configured =
  (kind: MetadataKind, isThere: (info: StreamInfo) => boolean): Read<StreamInfo> =>
  (info) =>
    isThere(info) ? metadataOf((namespace) => info.metadata(kind, namespace)) : undefined;

const NODE: Readers<StreamInfo> = {
  id: ({ node }) => node.id,
  cluster: ({ node }) => node.cluster,
  locality: ({ node }) => ({ zone: node.zone }),
};

const XDS: Readers<StreamInfo> = {
  node: (info) => lazy(NODE, info),
  cluster_name: ({ upstream }) => text(upstream.cluster),
  cluster_metadata: configured("CLUSTER", ({ upstream }) => upstream.cluster !== undefined),
  route_name: (info) => (info.hasRoute ? text(info.routeName) : undefined),
  route_metadata: configured("ROUTE", ({ hasRoute }) => hasRoute),
  virtual_host_name: (info) => text(info.virtualHostName),
  virtual_host_metadata: configured("VIRTUAL_HOST", (info) => info.virtualHostName !== undefined),
  upstream_host_metadata: configured(
    "UPSTREAM_HOST",
    ({ upstream }) => upstream.host !== undefined,
  ),
  filter_chain_name: ({ connection }) => text(connection.filterChainName),
  listener_metadata: configured("LISTENER", ({ connection }) => connection.listener !== undefined),
  listener_direction: ({ connection }) => BigInt(connection.listener?.direction ?? 0),
};

/** An object with fields is a map of them; any other one its text, as bytes. */
function stateOf(info: StreamInfo, key: string): CelInput | undefined {
  const object = info.filterState(key);
  const { field } = object ?? {};
  if (field !== undefined) return new LazyMap((name) => field(name) as CelInput | undefined);
  return object?.text === undefined ? undefined : Buffer.from(object.text, "latin1");
}

/** Everything that an expression may name: Envoy's documentation, "Attributes". */
export function streamAttributes(info: StreamInfo): Record<string, CelInput> {
  // Made only when they are asked for: most expressions ask for one.
  return {
    get request() {
      return lazy(REQUEST, info);
    },
    get response() {
      return lazy(RESPONSE, info);
    },
    get connection() {
      return lazy(CONNECTION, info);
    },
    get upstream() {
      return lazy(UPSTREAM, info);
    },
    get source() {
      return lazy(SOURCE, info);
    },
    get destination() {
      return lazy(DESTINATION, info);
    },
    get metadata() {
      return metadataOf((namespace) => info.dynamicMetadata(namespace));
    },
    get filter_state() {
      return new LazyMap((key) => stateOf(info, key));
    },
    get xds() {
      return lazy(XDS, info);
    },
    upstream_filter_state: new Map(),
  };
}
