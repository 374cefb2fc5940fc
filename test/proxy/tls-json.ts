import type { TestCertificate } from "./test-pki.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

/** A data source of text. */
export function inline(text: string): object {
  return { inline_string: text };
}

/** A certificate that stands in its context. */
export function tlsCertificate({ cert, key }: TestCertificate): object {
  return { certificate_chain: inline(cert), private_key: inline(key) };
}

/** A filter chain's transport socket. */
export function downstreamTls(common: object, options: object = {}): object {
  return socket("DownstreamTlsContext", { common_tls_context: common, ...options });
}

/** A cluster's transport socket. */
export function upstreamTls(common: object, options: object = {}): object {
  return socket("UpstreamTlsContext", { common_tls_context: common, ...options });
}

function socket(type: string, config: object): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: { "@type": `${TLS}.${type}`, ...config },
  };
}

/** A listener of which every filter chain has that transport socket. */
export function overTls(listener: object, transportSocket: object): object {
  const { filter_chains: chains } = listener as { readonly filter_chains: readonly object[] };
  return {
    ...listener,
    filter_chains: chains.map((chain) => ({ ...chain, transport_socket: transportSocket })),
  };
}

/** A secret as control planes send it. */
export function secret(name: string, type: object): object {
  return { name, ...type };
}
