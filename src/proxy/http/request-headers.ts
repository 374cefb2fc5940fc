import type { ConnectionInfo } from "../../match/connection-info.ts";
import type { ProxyContext } from "../context.ts";
import { INTERNAL_NAMES } from "./header-name.ts";
import type { HttpConfig } from "./http-config.ts";
import type { RequestHead } from "./message-head.ts";
import { normalizePath } from "./normalize-path.ts";

/**
 * Puts the headers of a request right before its route is looked for, in Envoy's order: who the
 * client is, then what only a client inside may say, then the request's id. Returns its scheme.
 */
export function prepareRequest(
  head: RequestHead,
  config: HttpConfig,
  connection: ConnectionInfo,
  context: ProxyContext,
): string {
  const { headers } = head;
  // Without `internal_address_config`, which is not built, Envoy takes nobody for internal.
  if (head.hasInternalHeaders) removeInternalHeaders(head);
  if (config.usesRemoteAddress) takeRemoteAddress(head, config, connection, context);
  config.writeClientCert(headers, connection.tls);
  let scheme = schemeOf(connection);
  const forwardedProto = headers.get("x-forwarded-proto");
  if (forwardedProto === undefined) headers.add("x-forwarded-proto", scheme);
  else if (forwardedProto === "https" || forwardedProto === "http") scheme = forwardedProto;
  if (config.generatesRequestId) {
    const isForeign = config.usesRemoteAddress && !config.keepsRequestId;
    if (isForeign || !headers.has("x-request-id")) {
      headers.set("x-request-id", context.createRequestId());
    }
  }
  if (config.normalizesPath) head.path = normalizePath(head.path, config.mergesSlashes);
  return scheme;
}

function schemeOf({ tls }: ConnectionInfo): "http" | "https" {
  return tls === undefined ? "http" : "https";
}

function removeInternalHeaders(head: RequestHead): void {
  for (const name of INTERNAL_NAMES) head.headers.remove(name);
  head.hasInternalHeaders = false;
}

/** At the edge the address of the connection counts, and what strangers claim does not. */
function takeRemoteAddress(
  head: RequestHead,
  config: HttpConfig,
  connection: ConnectionInfo,
  context: ProxyContext,
): void {
  const { headers } = head;
  const address = connection.remote.address;
  if (!config.skipsXffAppend) {
    // A client of this very machine is known to others by the machine's address.
    const known = address === "127.0.0.1" ? context.localAddress : address;
    const before = headers.get("x-forwarded-for");
    headers.set("x-forwarded-for", before === undefined ? known : `${before},${known}`);
  }
  headers.set("x-forwarded-proto", schemeOf(connection));
  headers.set("x-envoy-external-address", address);
  headers.remove("x-envoy-decorator-operation");
  headers.remove("x-envoy-downstream-service-cluster");
  headers.remove("x-envoy-downstream-service-node");
}
