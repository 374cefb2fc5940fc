/** The listeners of the tracing tests, by how they trace. */
export const TRACING_LISTENERS = [
  "zipkinIn",
  "zipkinOut",
  "zipkinAlone",
  "zipkinProto",
  "otelIn",
  "otelOut",
  "otelSampled",
  "otelRatio",
  "edge",
  "inside",
  "free",
  "noTracer",
  "silent",
] as const;
export type TracingListener = (typeof TRACING_LISTENERS)[number];

const TYPE = "type.googleapis.com/envoy";
const SAMPLERS = `${TYPE}.extensions.tracers.opentelemetry.samplers.v3`;
const DETECTORS = `${TYPE}.extensions.tracers.opentelemetry.resource_detectors.v3`;

export function zipkin(fields: object = {}): object {
  return {
    name: "envoy.tracers.zipkin",
    typed_config: {
      "@type": `${TYPE}.config.trace.v3.ZipkinConfig`,
      collector_cluster: "collector",
      collector_endpoint: "/api/v2/spans",
      collector_endpoint_version: "HTTP_JSON",
      ...fields,
    },
  };
}

const HTTP_URI = { uri: "http://collector.example:99/v1/traces?x=1", cluster: "collector" };

export function otel(fields: object = {}): object {
  return {
    name: "envoy.tracers.opentelemetry",
    typed_config: {
      "@type": `${TYPE}.config.trace.v3.OpenTelemetryConfig`,
      http_service: {
        http_uri: { ...HTTP_URI, timeout: "2s" },
        request_headers_to_add: [{ header: { key: "X-Key", value: "abc" } }],
      },
      service_name: "shop",
      ...fields,
    },
  };
}

function sampler(name: string, fields: object = {}): object {
  return { name, typed_config: { "@type": `${SAMPLERS}.${name}`, ...fields } };
}

const ratio = (numerator: number): object =>
  sampler("TraceIdRatioBasedSamplerConfig", { sampling_percentage: { numerator } });

function detector(name: string, fields: object = {}): object {
  return { name, typed_config: { "@type": `${DETECTORS}.${name}`, ...fields } };
}

const metadataTag = (kind: string, tag: string): object => ({
  tag,
  metadata: {
    kind: { [kind]: {} },
    metadata_key: { key: "app", path: [{ key: "of" }, { key: kind }] },
    default_value: "none",
  },
});

const TAGS = [
  { tag: "literal", literal: { value: "gold" } },
  { tag: "literal", literal: { value: "second of its name" } },
  { tag: "header", request_header: { name: "X-Tag", default_value: "none" } },
  { tag: "gone", request_header: { name: "x-gone" } },
  { tag: "environment", environment: { name: "WEFT_NO_SUCH_VARIABLE", default_value: "else" } },
  { tag: "format", value: "%REQ(:PATH)% %TRACE_ID% %SPAN_ID%" },
  { tag: "number", value: "%RESPONSE_CODE%", value_type: "INT" },
  { tag: "no-number", value: "x12", value_type: "INT" },
  { tag: "double", value: "1.5", value_type: "DOUBLE" },
  { tag: "flag", value: "true", value_type: "BOOL" },
  { tag: "text", value: "12", value_type: "STRING" },
  { tag: "empty", value: "%RESP(x-none)%" },
  ...["request", "route", "cluster", "host"].map((kind) => metadataTag(kind, `of-${kind}`)),
];

/** What the requests of each listener meet, by the beginnings of their paths. */
const ROUTES = [
  { match: { prefix: "/direct" }, direct_response: { status: 200, body: { inline_string: "x" } } },
  { match: { prefix: "/redirect" }, redirect: { path_redirect: "/elsewhere" } },
  {
    match: { prefix: "/decorated/quietly" },
    route: { cluster: "app" },
    decorator: { operation: "quiet", propagate: false },
  },
  {
    match: { prefix: "/decorated" },
    route: { cluster: "app" },
    decorator: { operation: "decorated" },
  },
  {
    match: { prefix: "/own" },
    route: { cluster: "app" },
    metadata: { filter_metadata: { app: { of: { route: "a route" } } } },
    tracing: {
      operation: "own-%REQ(:METHOD)%",
      upstream_operation: "own-upstream",
      custom_tags: [
        { tag: "literal", literal: { value: "the route's" } },
        { tag: "route", literal: { value: "own" } },
      ],
    },
  },
  {
    match: { prefix: "/unsampled" },
    route: { cluster: "app" },
    tracing: { random_sampling: { numerator: 0 } },
  },
  {
    match: { prefix: "/never" },
    route: { cluster: "app" },
    tracing: { overall_sampling: { numerator: 0 } },
  },
  {
    match: { prefix: "/client-half" },
    route: { cluster: "app" },
    tracing: {
      client_sampling: { numerator: 0 },
      random_sampling: { numerator: 50, denominator: "TEN_THOUSAND" },
    },
  },
  {
    match: { prefix: "/retry" },
    route: { cluster: "app", retry_policy: { retry_on: "5xx", num_retries: 2 } },
  },
  {
    match: { prefix: "/try-slow" },
    route: {
      cluster: "app",
      timeout: "2s",
      retry_policy: { retry_on: "5xx,reset", num_retries: 1, per_try_timeout: "0.1s" },
    },
  },
  { match: { prefix: "/slow" }, route: { cluster: "app", timeout: "0.1s" } },
  { match: { prefix: "/refused" }, route: { cluster: "refused" } },
  { match: { prefix: "/empty" }, route: { cluster: "empty" } },
  { match: { prefix: "/nowhere" }, route: { cluster_header: "x-nowhere" } },
  {
    match: { prefix: "/rewrite" },
    route: { cluster: "app", prefix_rewrite: "/rewritten", host_rewrite_literal: "inner" },
  },
  {
    match: { prefix: "/leave" },
    route: { cluster: "app", internal_redirect_policy: {} },
  },
  { match: { prefix: "/no-route-below" }, route: { cluster: "app" } },
  { match: { path: "/" }, route: { cluster: "app" } },
];

function listener(
  name: string,
  port: number,
  direction: string,
  tracing: object | undefined,
  manager: object = {},
): object {
  return {
    name,
    traffic_direction: direction,
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    filter_chains: [
      {
        filters: [
          {
            name: "http",
            typed_config: {
              "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: name,
              ...(tracing && { tracing }),
              ...manager,
              route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: ROUTES }] },
              http_filters: [
                {
                  name: "router",
                  typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function cluster(name: string, port: number | undefined): object {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  const metadata = (of: object): object => ({ filter_metadata: { app: { of } } });
  const host = {
    endpoint: { address },
    metadata: metadata({ host: 12_345_678 }),
  };
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    metadata: metadata({ cluster: { list: [1, "a", true] } }),
    load_assignment: {
      cluster_name: name,
      endpoints: port === undefined ? [] : [{ lb_endpoints: [host] }],
    },
  };
}

/** The ports that a bootstrap names. */
export interface TracingPorts {
  readonly listeners: Readonly<Record<TracingListener | "admin", number>>;
  readonly app: number;
  readonly collector: number;
  readonly refused: number;
}

const requestIds = (fields: object): object => ({
  request_id_extension: {
    typed_config: {
      "@type": `${TYPE}.extensions.request_id.uuid.v3.UuidRequestIdConfig`,
      ...fields,
    },
  },
});

const NONE = { value: 0 };

/** That tell Zipkin, or nobody. */
function zipkinListeners(at: TracingPorts["listeners"]): object[] {
  return [
    listener("zipkin_in", at.zipkinIn, "INBOUND", { provider: zipkin(), verbose: true }),
    listener("zipkin_out", at.zipkinOut, "OUTBOUND", {
      provider: zipkin({
        trace_id_128bit: true,
        trace_context_option: "USE_B3_WITH_W3C_PROPAGATION",
      }),
      spawn_upstream_span: true,
      custom_tags: TAGS,
    }),
    listener("zipkin_alone", at.zipkinAlone, "OUTBOUND", {
      provider: zipkin({ shared_span_context: false, collector_hostname: "zipkin.example" }),
      random_sampling: NONE,
    }),
    listener("zipkin_proto", at.zipkinProto, "INBOUND", {
      provider: zipkin({
        collector_cluster: "",
        collector_endpoint: "",
        collector_service: {
          http_uri: { ...HTTP_URI, uri: "http://z.example/zipkin?a=b", timeout: "1s" },
          request_headers_to_add: [{ header: { key: "X-Key", value: "abc" } }],
        },
        shared_span_context: false,
        collector_endpoint_version: "HTTP_PROTO",
      }),
    }),
    listener("no_tracer", at.noTracer, "OUTBOUND", {}),
    listener("silent", at.silent, "OUTBOUND", {
      provider: zipkin(),
      spawn_upstream_span: true,
      no_context_propagation: true,
    }),
  ];
}

/** That tell an OpenTelemetry collector. */
function otelListeners(at: TracingPorts["listeners"]): object[] {
  return [
    listener("otel_in", at.otelIn, "INBOUND", {
      provider: otel({
        resource_detectors: [
          detector("StaticConfigResourceDetectorConfig", {
            attributes: { team: "blue", "service.name": "named" },
          }),
          detector("EnvironmentResourceDetectorConfig"),
        ],
      }),
      verbose: true,
      max_path_tag_length: 12,
    }),
    listener("otel_out", at.otelOut, "OUTBOUND", {
      provider: otel({ service_name: "" }),
      spawn_upstream_span: true,
      verbose: true,
      operation: "op-%REQ(x-tag)%",
      upstream_operation: "up-%UPSTREAM_CLUSTER%",
      custom_tags: TAGS,
    }),
    listener("otel_sampled", at.otelSampled, "OUTBOUND", {
      provider: otel({
        sampler: sampler("ParentBasedSamplerConfig", {
          wrapped_sampler: sampler("AlwaysOnSamplerConfig"),
        }),
        set_telemetry_sdk_resource_attributes: false,
        set_service_name_resource_attribute: false,
        set_instrumentation_scope: false,
      }),
    }),
    listener("otel_ratio", at.otelRatio, "OUTBOUND", {
      provider: otel({ sampler: ratio(50) }),
    }),
  ];
}

/** That decide each in its own way. */
function decidingListeners(at: TracingPorts["listeners"]): object[] {
  return [
    listener(
      "edge",
      at.edge,
      "UNSPECIFIED",
      { provider: otel(), random_sampling: NONE },
      {
        use_remote_address: true,
        preserve_external_request_id: true,
        internal_address_config: {
          cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }],
        },
      },
    ),
    listener(
      "inside",
      at.inside,
      "INBOUND",
      { provider: otel(), random_sampling: NONE, overall_sampling: { value: 50 } },
      {
        use_remote_address: true,
        internal_address_config: {
          cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }],
        },
        ...requestIds({ pack_trace_reason: false }),
      },
    ),
    listener(
      "free",
      at.free,
      "INBOUND",
      { provider: otel(), random_sampling: NONE },
      requestIds({ use_request_id_for_trace_sampling: false }),
    ),
  ];
}

/** One proxy that traces in every way that there is. */
export function tracingBootstrap({ listeners, app, collector, refused }: TracingPorts): object {
  const at = listeners;
  return {
    node: { id: "node-1", cluster: "shop-gateway", locality: { zone: "zone-1" } },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: at.admin } } },
    layered_runtime: {
      layers: [
        {
          name: "static",
          static_layer: {
            "tracing.zipkin.min_flush_spans": 1,
            "tracing.opentelemetry.min_flush_spans": 1,
          },
        },
      ],
    },
    static_resources: {
      clusters: [
        cluster("app", app),
        cluster("collector", collector),
        cluster("refused", refused),
        cluster("empty", undefined),
      ],
      listeners: [...zipkinListeners(at), ...otelListeners(at), ...decidingListeners(at)],
    },
  };
}
