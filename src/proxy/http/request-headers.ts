import type { ConnectionInfo, PeerAddress } from "../../match/connection-info.ts";
import type { RouteConfig } from "../../match/route-config.ts";
import type { ProxyContext } from "../context.ts";
import { withoutReason } from "../tracing/trace-decision.ts";
import { findClient } from "./client-address.ts";
import type { HeaderList } from "./header-list.ts";
import { INTERNAL_NAMES } from "./header-name.ts";
import type { HttpConfig } from "./http-config.ts";
import { CODING, type RequestHead } from "./message-head.ts";

/** What a request's headers are put right by, and what comes out of them. */
export interface PreparedStream {
  readonly head: RequestHead;
  readonly config: HttpConfig;
  readonly connection: ConnectionInfo;
  readonly context: ProxyContext;
  scheme: string;
  /** `undefined` where only `x-forwarded-for` could tell, and nobody has asked yet. */
  knownRemote: PeerAddress | undefined;
}

/**
 * Puts the headers of a request right before its route is looked for, in Envoy's order: who the
 * client is, then what only a client inside may say, then the request's id.
 */
export function prepareRequest(stream: PreparedStream, routes: RouteConfig | undefined): void {
  const { head, config, connection, context } = stream;
  const { client } = config;
  const { headers } = head;
  const plainScheme = schemeOf(connection);
  stream.knownRemote = undefined;
  let isEdge = client.usesRemoteAddress;
  if (isEdge || client.isInternal !== undefined) {
    const found = findClient(client, headers.get("x-forwarded-for"), connection);
    stream.knownRemote = found.remote;
    if (found.isInternal) isEdge = false;
    if (client.usesRemoteAddress) appendForwarded(stream, plainScheme);
    if (found.isInternal) headers.set("x-envoy-internal", "true");
    else removeInternalHeaders(head, routes);
    if (isEdge) sealEdge(head, found.remote.address);
  } else removeInternalHeaders(head, routes);
  config.writeClientCert(headers, connection.tls);
  takeScheme(stream, plainScheme);
  if (client.appendsForwardedPort && !headers.has("x-forwarded-port")) {
    headers.set("x-forwarded-port", String(connection.local.port));
  }
  if (config.via !== "") {
    appendVia(headers, config.via);
  }
  if (!config.generatesRequestId) return;
  const isForeign = isEdge && !config.keepsRequestId;
  const requestId = headers.first("x-request-id");
  if (isForeign || requestId === undefined) {
    headers.set("x-request-id", context.createRequestId());
  } else if (isEdge) {
    headers.set("x-request-id", withoutReason(requestId));
  }
}

/** Adds this proxy to those that a message came by. */
export function appendVia(headers: HeaderList, via: string): void {
  const before = headers.get("via");
  headers.set("via", before === undefined ? via : `${before}, ${via}`);
}

/** The scheme is what the first proxy says it was, where that is one of the two that there are. */
function takeScheme(stream: PreparedStream, plainScheme: string): void {
  const { head, config } = stream;
  const forwardedProto = head.headers.get("x-forwarded-proto");
  if (forwardedProto === undefined) head.headers.add("x-forwarded-proto", plainScheme);
  const proto = forwardedProto ?? plainScheme;
  stream.scheme = config.scheme || (proto === "https" || proto === "http" ? proto : plainScheme);
}

/** Tells the upstream whom this proxy spoke with. */
function appendForwarded(
  { head: { headers }, config: { client }, connection, context }: PreparedStream,
  plainScheme: string,
): void {
  const { address } = connection.remote;
  if (!client.skipsXffAppend) {
    // A client of this very machine is known to others by the machine's address.
    const mapped =
      client.writesIpv4AsIpv6 && !address.includes(":") ? `::ffff:${address}` : address;
    const text = isLoopback(address) ? context.localAddress : mapped;
    const before = headers.get("x-forwarded-for");
    headers.set("x-forwarded-for", before === undefined ? text : `${before},${text}`);
  }
  // Only what a trusted proxy said of these is kept.
  const trustsBefore = client.trustedHops > 0;
  if (!trustsBefore || !headers.has("x-forwarded-proto")) {
    headers.set("x-forwarded-proto", plainScheme);
  }
  if (client.appendsForwardedPort && !trustsBefore) headers.remove("x-forwarded-port");
}

function isLoopback(address: string): boolean {
  return address === "127.0.0.1" || address === "::1";
}

/** The first trusted proxy: what strangers claim of themselves goes. */
function sealEdge({ headers }: RequestHead, address: string): void {
  headers.set("x-envoy-external-address", address);
  headers.remove("x-envoy-decorator-operation");
  headers.remove("x-envoy-downstream-service-cluster");
  headers.remove("x-envoy-downstream-service-node");
}

function schemeOf({ tls }: ConnectionInfo): "http" | "https" {
  return tls === undefined ? "http" : "https";
}

function removeInternalHeaders(head: RequestHead, routes: RouteConfig | undefined): void {
  const names = routes?.internalOnlyHeaders;
  if (names !== undefined && names.length > 0) removeNames(head, names);
  if (!head.hasInternalHeaders) return;
  for (const name of INTERNAL_NAMES) head.headers.remove(name);
  head.hasInternalHeaders = false;
}

function removeNames(head: RequestHead, names: readonly string[]): void {
  for (const name of names) head.headers.remove(name);
  if (head.contentLength === -1 || head.headers.has("content-length")) return;
  // The upstream must be able to tell where the body ends.
  if (head.contentLength > 0) head.coding = CODING.chunked;
  head.contentLength = -1;
}
