const NAME = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** The protocol options of a cluster. */
export function protocolOptions(options: object): object {
  return {
    typed_extension_protocol_options: {
      [NAME]: { "@type": `type.googleapis.com/${NAME}`, ...options },
    },
  };
}

/** Those of a cluster that is spoken to in HTTP/2; `common` are those of every version. */
export function http2Options(options: object = {}, common: object = {}): object {
  return protocolOptions({
    common_http_protocol_options: common,
    explicit_http_config: { http2_protocol_options: options },
  });
}
