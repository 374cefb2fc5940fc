import { httpListener, socketAddress, staticCluster } from "../bootstrap-json.ts";

/** The listeners of one data plane under test. */
export const H2_LISTENERS = ["http2", "auto", "edge", "tight"] as const;
export type H2Listener = (typeof H2_LISTENERS)[number];
export type H2Ports = Readonly<Record<H2Listener | "admin", number>>;

/** Where requests go: by the authority, `one.test` speaks HTTP/1.1 and `two.test` HTTP/2. */
export interface H2Targets {
  readonly http1: number;
  readonly http2: number;
  readonly refused: number;
}

/** What both planes must say of a request besides its frames. */
const FORMAT =
  "%REQ(MARK)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %PROTOCOL% " +
  "%UPSTREAM_PROTOCOL% %REQ(:METHOD)% %REQ(:PATH)% %BYTES_RECEIVED% %BYTES_SENT% " +
  "%TRAILER(X-T)% %GRPC_STATUS% %UPSTREAM_REQUEST_ATTEMPT_COUNT%\n";
const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** Routes of a virtual host whose requests go to `cluster`. */
function routesTo(cluster: string): readonly object[] {
  return [
    {
      match: { prefix: "/direct" },
      direct_response: { status: 418, body: { inline_string: "teapot" } },
    },
    { match: { prefix: "/bare" }, direct_response: { status: 204 } },
    { match: { prefix: "/moved" }, redirect: { path_redirect: "/new" } },
    { match: { prefix: "/nowhere" }, route: { cluster: "nowhere" } },
    { match: { prefix: "/refused" }, route: { cluster: "refused" } },
    { match: { prefix: "/silent" }, route: { cluster, timeout: "0.3s" } },
    { match: { prefix: "/idle" }, route: { cluster, timeout: "0s", idle_timeout: "0.3s" } },
    {
      match: { prefix: "/long" },
      route: { cluster, timeout: "0s", max_stream_duration: { max_stream_duration: "0.3s" } },
    },
    {
      match: { prefix: "/asked" },
      route: {
        cluster,
        timeout: "0s",
        max_stream_duration: { grpc_timeout_header_max: "0.3s" },
      },
    },
    {
      match: { prefix: "/again" },
      route: {
        cluster,
        prefix_rewrite: "/",
        retry_policy: {
          retry_on: "5xx,reset,refused-stream,cancelled,unavailable,retriable-status-codes",
          num_retries: 2,
          retry_back_off: { base_interval: "0.01s", max_interval: "0.02s" },
        },
      },
    },
    { match: { path: "/only.Grpc/Call", grpc: {} }, direct_response: { status: 299 } },
    {
      match: { prefix: "/changed" },
      route: { cluster, prefix_rewrite: "/echo" },
      request_headers_to_add: [{ header: { key: "x-added", value: "%PROTOCOL%" } }],
      response_headers_to_add: [{ header: { key: "x-said", value: "%UPSTREAM_PROTOCOL%" } }],
      response_headers_to_remove: ["x-gone"],
    },
    {
      match: { connect_matcher: {} },
      route: {
        cluster,
        upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }],
      },
    },
    { match: { prefix: "/" }, route: { cluster } },
  ];
}

function listener(name: H2Listener, ports: H2Ports, log: string, options: object): object {
  const format = { text_format_source: { inline_string: FORMAT } };
  return httpListener(name, ports[name], {
    codec_type: "HTTP2",
    stream_idle_timeout: "5s",
    delayed_close_timeout: "0.1s",
    access_log: [
      { name: "file", typed_config: { "@type": FILE_LOG, path: log, log_format: format } },
    ],
    upgrade_configs: [{ upgrade_type: "websocket" }],
    http2_protocol_options: { allow_connect: true },
    route_config: {
      name: "local",
      validate_clusters: false,
      virtual_hosts: [
        { name: "one", domains: ["one.test", "one.test:*"], routes: routesTo("one") },
        { name: "two", domains: ["two.test", "two.test:*"], routes: routesTo("two") },
      ],
    },
    ...options,
  });
}

/** The same configuration for both, but for the ports. */
export function h2Bootstrap(ports: H2Ports, targets: H2Targets, log: string): object {
  const http2 = {
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": HTTP_OPTIONS,
        explicit_http_config: { http2_protocol_options: { allow_connect: true } },
      },
    },
  };
  return {
    admin: { address: socketAddress(ports.admin) },
    static_resources: {
      listeners: [
        listener("http2", ports, log, {}),
        listener("auto", ports, log, { codec_type: "AUTO" }),
        listener("edge", ports, log, {
          use_remote_address: true,
          http2_protocol_options: {
            allow_connect: true,
            override_stream_error_on_invalid_http_message: true,
          },
        }),
        listener("tight", ports, log, {
          max_request_headers_kb: 8,
          common_http_protocol_options: {
            max_headers_count: 20,
            headers_with_underscores_action: "REJECT_REQUEST",
          },
          http2_protocol_options: { max_concurrent_streams: 2 },
        }),
      ],
      clusters: [
        staticCluster("one", [targets.http1]),
        staticCluster("two", [targets.http2], http2),
        staticCluster("refused", [targets.refused], http2),
      ],
    },
  };
}
