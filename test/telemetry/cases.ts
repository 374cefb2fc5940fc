/** Telemetries and settings of the mesh, for weft and istiod alike. */
export interface TelemetryCase {
  readonly what: string;
  readonly mesh?: object;
  /** Of istio-system, the mesh's own namespace. */
  readonly root?: object;
  /** Of the namespace of the proxies, in the order of their age. */
  readonly own?: readonly object[];
  /** Metadata of the proxies, beside what all have. */
  readonly metadata?: object;
}

const ZIPKIN = { service: "zipkin.istio-system.svc.cluster.local", port: 9411 };
const OTEL = { service: "collector.istio-system.svc.cluster.local", port: 4317 };
const OTEL_HTTP = { ...OTEL, port: 4318 };

const PROVIDERS = {
  extensionProviders: [
    { name: "zipkin", zipkin: ZIPKIN },
    {
      name: "zipkin-all",
      zipkin: {
        service: `istio-system/${ZIPKIN.service}`,
        port: 9411,
        path: "/spans",
        maxTagLength: 64,
        enable64bitTraceId: true,
        traceContextOption: "USE_B3_WITH_W3C_PROPAGATION",
        timeout: "3s",
        headers: [{ name: "x-key", value: "secret" }],
      },
    },
    { name: "otel", opentelemetry: OTEL },
    {
      name: "otel-all",
      opentelemetry: {
        ...OTEL,
        maxTagLength: 32,
        grpc: { timeout: "2s", initialMetadata: [{ name: "x-key", value: "secret" }] },
        resourceDetectors: { environment: {} },
      },
    },
    {
      name: "otel-http",
      opentelemetry: {
        ...OTEL_HTTP,
        http: { path: "/v1/traces", timeout: "4s", headers: [{ name: "x-key", value: "secret" }] },
      },
    },
    {
      name: "otel-conventions",
      opentelemetry: { ...OTEL, serviceAttributeEnrichment: "OTEL_SEMANTIC_CONVENTIONS" },
    },
    { name: "nowhere", zipkin: { service: "nowhere.example.com", port: 9411 } },
    { name: "file", envoyFileAccessLog: { path: "/tmp/log", logFormat: { text: "%PROTOCOL%" } } },
    {
      name: "json",
      envoyFileAccessLog: { logFormat: { labels: { a: "%DURATION%" } }, omitEmptyValues: true },
    },
    { name: "plain", envoyFileAccessLog: { path: "/dev/stderr" } },
    { name: "als", envoyHttpAls: { ...OTEL, additionalRequestHeadersToLog: ["x-a"] } },
    { name: "tcp-als", envoyTcpAls: { ...OTEL, logName: "mine", filterStateObjectsToLog: ["a"] } },
    { name: "nowhere-als", envoyHttpAls: { service: "nowhere.example.com", port: 1 } },
    {
      name: "otel-als",
      envoyOtelAls: { ...OTEL, logFormat: { labels: { b: "%PROTOCOL%", a: "1" } } },
    },
  ],
};

const by = (name: string, more: object = {}): object => ({ providers: [{ name }], ...more });
const tracing = (...entries: object[]): object => ({ tracing: entries });
const logging = (...entries: object[]): object => ({ accessLogging: entries });

/** How requests are traced. */
export const TRACING_CASES: readonly TelemetryCase[] = [
  { what: "the mesh's default provider", mesh: { defaultProviders: { tracing: ["zipkin"] } } },
  {
    what: "a Telemetry of the mesh",
    root: tracing(by("zipkin", { randomSamplingPercentage: 100 })),
  },
  { what: "all that zipkin takes", root: tracing(by("zipkin-all")) },
  { what: "OTLP over gRPC", root: tracing(by("otel")) },
  { what: "all that OTLP over gRPC takes", root: tracing(by("otel-all")) },
  { what: "OTLP over HTTP", root: tracing(by("otel-http")) },
  { what: "OTLP with names by its conventions", root: tracing(by("otel-conventions")) },
  { what: "names whose case is another", root: tracing(by("OTEL")) },
  {
    what: "a namespace that says another rate, and nothing of the provider",
    root: tracing(by("zipkin", { randomSamplingPercentage: 10 })),
    own: [tracing({ randomSamplingPercentage: 0 })],
  },
  {
    what: "a workload among the namespace's",
    root: tracing(by("zipkin")),
    own: [
      tracing(by("otel", { randomSamplingPercentage: 50 })),
      { selector: { matchLabels: { app: "a" } }, ...tracing({ randomSamplingPercentage: 25.5 }) },
      { selector: { matchLabels: { app: "b" } }, ...tracing(by("zipkin-all")) },
    ],
  },
  {
    what: "several for one workload",
    own: [
      {
        selector: { matchLabels: { app: "a" } },
        ...tracing(by("otel", { enableIstioTags: false })),
      },
      { selector: { matchLabels: { version: "v1" } }, ...tracing(by("zipkin")) },
    ],
  },
  {
    what: "several without a selector, of which the oldest counts",
    own: [tracing(by("otel")), tracing(by("zipkin", { randomSamplingPercentage: 7 }))],
  },
  {
    what: "one side each",
    own: [
      tracing(
        { match: { mode: "CLIENT" }, ...by("zipkin", { randomSamplingPercentage: 1.5 }) },
        { match: { mode: "SERVER" }, ...by("otel", { useRequestIdForTraceSampling: false }) },
        { match: { mode: "CLIENT_AND_SERVER" }, customTags: { z: { literal: { value: "1" } } } },
      ),
    ],
  },
  {
    what: "one side alone",
    own: [tracing({ match: { mode: "SERVER" }, ...by("zipkin") })],
  },
  {
    what: "spans that are not reported",
    root: tracing(by("zipkin")),
    own: [tracing({ disableSpanReporting: true })],
  },
  {
    what: "spans that are reported again",
    root: tracing(by("zipkin", { disableSpanReporting: true })),
    own: [tracing({ disableSpanReporting: false, useRequestIdForTraceSampling: false })],
  },
  {
    what: "tags of all kinds",
    root: tracing(
      by("zipkin", {
        customTags: {
          z: { literal: { value: "v" } },
          a: { header: { name: "x-a", defaultValue: "d" } },
          m: { environment: { name: "E", defaultValue: "d" } },
          f: { formatter: { value: "%REQ(x-f)%" } },
        },
      }),
    ),
  },
  {
    what: "tags of the narrower in place of the wider's",
    root: tracing(by("zipkin", { customTags: { a: { literal: { value: "root" } } } })),
    own: [tracing({ customTags: { b: { literal: { value: "own" } } }, enableIstioTags: false })],
  },
  {
    what: "nobody who is told of the context",
    root: tracing(by("zipkin", { disableContextPropagation: true })),
  },
  { what: "a provider that is not there", root: tracing(by("typo")) },
  { what: "a provider whose service is not there", root: tracing(by("nowhere")) },
  { what: "a provider that is no tracer", root: tracing(by("file")) },
  {
    what: "what ProxyConfig says, where Telemetries do not",
    mesh: {
      defaultProviders: { tracing: ["zipkin"] },
      defaultConfig: {
        meshId: "m1",
        tracing: {
          sampling: 12.5,
          maxPathTagLength: 99,
          customTags: { own: { header: { name: "x-own" } } },
        },
      },
    },
    metadata: { MESH_ID: "m1" },
  },
  {
    what: "the tracer of the start-up file",
    mesh: {
      defaultConfig: {
        tracing: {
          zipkin: { address: "zipkin:9411" },
          sampling: 42,
          maxPathTagLength: 99,
          customTags: { own: { literal: { value: "x" } } },
        },
      },
    },
  },
  {
    what: "the tracer of the start-up file without Istio's tags",
    mesh: {
      defaultConfig: { tracing: { zipkin: { address: "zipkin:9411" }, enableIstioTags: false } },
    },
  },
  {
    what: "no tracing by the mesh's word",
    mesh: {
      enableTracing: false,
      defaultConfig: { tracing: { zipkin: { address: "zipkin:9411" } } },
    },
  },
  {
    what: "a Telemetry where the mesh says no tracing",
    mesh: { enableTracing: false },
    root: tracing(by("zipkin")),
  },
  {
    what: "a proxy of Istio 1.28",
    root: tracing(
      by("zipkin-all", {
        disableContextPropagation: true,
        customTags: { a: { literal: { value: "v" } } },
      }),
    ),
    metadata: { ISTIO_VERSION: "1.28.3" },
  },
];

const LOGS: readonly TelemetryCase[] = [
  { what: "a file of the mesh", mesh: { accessLogFile: "/dev/stdout" } },
  {
    what: "a file of the mesh, as JSON",
    mesh: { accessLogFile: "/dev/stdout", accessLogEncoding: "JSON", accessLogFormat: '{"a":"b"}' },
  },
  {
    what: "no lines of listeners",
    mesh: { accessLogFile: "/dev/stdout", disableEnvoyListenerLog: true },
  },
  { what: "Istio's own provider", root: logging(by("envoy")) },
  {
    what: "Istio's own provider in the mesh's format",
    mesh: { accessLogFile: "/else", accessLogFormat: "%PROTOCOL%" },
    root: logging(by("envoy")),
  },
  { what: "default providers", mesh: { defaultProviders: { accessLogging: ["plain", "json"] } } },
  { what: "a text of one's own", root: logging(by("file")) },
  { what: "entries by gRPC", root: logging(by("als")) },
  { what: "entries of connections by gRPC", root: logging(by("tcp-als")) },
  { what: "entries by OTLP", root: logging(by("otel-als")) },
  {
    what: "a filter",
    root: logging(by("file", { filter: { expression: "response.code >= 400" } })),
  },
  {
    what: "one side",
    root: logging({ match: { mode: "SERVER" }, ...by("file") }),
    mesh: { accessLogFile: "/dev/stdout" },
  },
  {
    what: "both sides in turn",
    root: logging(
      { match: { mode: "SERVER" }, ...by("file") },
      { match: { mode: "CLIENT" }, ...by("json", { filter: { expression: "true" } }) },
    ),
  },
  {
    what: "a namespace that wants none",
    mesh: { accessLogFile: "/dev/stdout" },
    root: logging(by("file")),
    own: [logging({ disabled: true })],
  },
  {
    what: "a namespace that wants none of one side",
    root: logging(by("file")),
    own: [logging({ match: { mode: "CLIENT" }, disabled: true })],
  },
  {
    what: "a namespace that wants another",
    root: logging(by("file")),
    own: [logging(by("json"))],
  },
  {
    what: "a filter below",
    root: logging(by("file")),
    own: [logging(by("file", { filter: { expression: "response.code == 500" } }))],
  },
  {
    what: "a workload that wants its own back",
    root: logging(by("file"), by("json")),
    own: [
      logging(by("file", { disabled: true })),
      { selector: { matchLabels: { app: "a" } }, ...logging(by("file", { disabled: false })) },
    ],
  },
  {
    what: "a default provider that a namespace filters without naming it",
    mesh: { defaultProviders: { accessLogging: ["file"] } },
    own: [logging({ filter: { expression: "true" } })],
  },
  {
    what: "a provider that is not there, with the file of the mesh behind it",
    mesh: { accessLogFile: "/dev/stdout" },
    root: logging(by("typo")),
  },
  {
    what: "a service that is not there, with the file of the mesh behind it",
    mesh: { accessLogFile: "/dev/stdout" },
    root: logging(by("nowhere-als")),
  },
  {
    what: "the log service of the start-up file",
    mesh: {
      enableEnvoyAccessLogService: true,
      accessLogFile: "/dev/stdout",
      defaultConfig: { envoyAccessLogService: { address: "als:9000" } },
    },
  },
  {
    what: "a tracer that is told no log entries",
    mesh: { accessLogFile: "/dev/stdout" },
    root: logging(by("zipkin")),
  },
];

/**
 * Which requests and connections are logged. Nothing is traced: where nobody says to whom, istiod
 * writes how often all the same, and weft writes nothing.
 */
export const LOGGING_CASES: readonly TelemetryCase[] = LOGS.map((one) => ({
  ...one,
  mesh: { enableTracing: false, ...one.mesh },
}));

const WORLD: readonly object[] = [
  serviceEntry("zipkin", ZIPKIN.service, [{ number: 9411, name: "http", protocol: "HTTP" }]),
  serviceEntry("collector", OTEL.service, [
    { number: 4317, name: "grpc-otlp", protocol: "GRPC" },
    { number: 4318, name: "http-otlp", protocol: "HTTP" },
  ]),
  serviceEntry("shop", "shop.example.com", [{ number: 80, name: "http", protocol: "HTTP" }]),
  serviceEntry("db", "db.example.com", [{ number: 5432, name: "tcp", protocol: "TCP" }]),
  {
    apiVersion: "networking.istio.io/v1",
    kind: "Gateway",
    metadata: { name: "gw", namespace: "shop", creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      selector: { app: "gateway" },
      servers: [{ port: { number: 8080, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
    },
  },
];

function serviceEntry(name: string, host: string, ports: readonly object[]): object {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name, namespace: "istio-system", creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: {
      hosts: [host],
      addresses: [`240.0.0.${name.length}`],
      location: "MESH_INTERNAL",
      resolution: "STATIC",
      ports,
      endpoints: [{ address: "10.1.0.9" }],
    },
  };
}

/** MeshConfig of a case. */
export function meshOf({ mesh }: TelemetryCase): object {
  return { ...PROVIDERS, ...mesh };
}

/** The objects of a case. */
export function objectsOf({ root, own = [] }: TelemetryCase): readonly object[] {
  const telemetry = (namespace: string, name: string, second: number, spec: object): object => ({
    apiVersion: "telemetry.istio.io/v1",
    kind: "Telemetry",
    metadata: { name, namespace, creationTimestamp: `2026-01-01T00:00:0${second}Z` },
    spec,
  });
  return [
    ...WORLD,
    ...(root === undefined ? [] : [telemetry("istio-system", "mesh-default", 0, root)]),
    // The names are the other way round, so that age is what counts.
    ...own.map((spec, at) => telemetry("shop", `own-${9 - at}`, at, spec)),
  ];
}
