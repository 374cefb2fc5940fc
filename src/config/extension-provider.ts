import type { Infer } from "./schema.ts";
import {
  anything,
  array,
  atMostOne,
  boolean,
  duration,
  integer,
  map,
  number,
  object,
  required,
  string,
  uint32,
} from "./schema.ts";

/** Where a provider is served: a host of the mesh, `namespace/host` where one alone is not clear. */
const service = {
  service: string(),
  port: uint32(),
};

const requestBody = object({
  maxRequestBytes: uint32(),
  allowPartialMessage: boolean(),
  packAsBytes: boolean(),
});

const externalAuthorization = {
  ...service,
  timeout: duration(),
  failOpen: boolean(),
  clearRouteCache: boolean(),
  statusOnError: string(),
  includeRequestBodyInCheck: requestBody,
};

const envoyExtAuthzHttp = object({
  ...externalAuthorization,
  pathPrefix: string(),
  includeHeadersInCheck: array(string()),
  includeRequestHeadersInCheck: array(string()),
  includeAdditionalHeadersInCheck: map(string()),
  headersToUpstreamOnAllow: array(string()),
  headersToDownstreamOnDeny: array(string()),
  headersToDownstreamOnAllow: array(string()),
});

const httpHeader = object({ name: required(string()), value: string(), envName: string() });
const maxTagLength = uint32();

const httpService = object({
  path: string(),
  timeout: duration(),
  headers: array(httpHeader),
});

const grpcService = object({ timeout: duration(), initialMetadata: array(httpHeader) });

const dynatraceSampler = object({
  tenant: required(string()),
  clusterId: integer(),
  rootSpansPerMinute: uint32(),
  httpService: object({ ...service, http: httpService }),
});

const opentelemetry = object({
  ...service,
  maxTagLength,
  http: httpService,
  grpc: grpcService,
  resourceDetectors: object({ environment: object({}), dynatrace: object({}) }),
  serviceAttributeEnrichment: string({ enum: ["ISTIO_CANONICAL", "OTEL_SEMANTIC_CONVENTIONS"] }),
  dynatraceSampler,
});

const zipkin = object({
  ...service,
  maxTagLength,
  enable64bitTraceId: boolean(),
  path: string(),
  traceContextOption: string({ enum: ["USE_B3", "USE_B3_WITH_W3C_PROPAGATION"] }),
  timeout: duration(),
  headers: array(httpHeader),
});

const stackdriver = object({
  debug: boolean(),
  maxNumberOfAttributes: integer({ format: "int64" }),
  maxNumberOfAnnotations: integer({ format: "int64" }),
  maxNumberOfMessageEvents: integer({ format: "int64" }),
  maxTagLength,
  logging: object({ labels: map(string()) }),
});

const opencensus = object({
  ...service,
  context: array(
    string({
      enum: ["UNSPECIFIED", "W3C_TRACE_CONTEXT", "GRPC_BIN", "CLOUD_TRACE_CONTEXT", "B3"],
    }),
  ),
  maxTagLength,
});

const envoyFileAccessLog = object({
  path: string({ description: "`/dev/stdout` when absent." }),
  logFormat: object({ text: string(), labels: map(anything()) }, atMostOne("text", "labels")),
  omitEmptyValues: boolean(),
});

const grpcAccessLog = {
  ...service,
  logName: string(),
  filterStateObjectsToLog: array(string()),
};

const envoyOtelAls = object({
  ...service,
  logName: string(),
  logFormat: object({ text: string(), labels: map(anything()) }),
});

const PROVIDERS = {
  envoyExtAuthzHttp,
  envoyExtAuthzGrpc: object(externalAuthorization),
  zipkin,
  lightstep: object({ ...service, accessToken: string(), maxTagLength }),
  datadog: object({ ...service, maxTagLength }),
  stackdriver,
  opencensus,
  skywalking: object({ ...service, accessToken: string() }),
  opentelemetry,
  prometheus: object({}),
  envoyFileAccessLog,
  envoyHttpAls: object({
    ...grpcAccessLog,
    additionalRequestHeadersToLog: array(string()),
    additionalResponseHeadersToLog: array(string()),
    additionalResponseTrailersToLog: array(string()),
  }),
  envoyTcpAls: object(grpcAccessLog),
  envoyOtelAls,
  sds: object({ name: string(), ...service }),
};

/** The names that say what a provider is; a provider has exactly one of them. */
export const EXTENSION_PROVIDER_TYPES: readonly string[] = Object.keys(PROVIDERS);

/** `MeshConfig.ExtensionProvider`. */
export const extensionProviderSchema = object(
  { name: required(string({ minLength: 1 })), ...PROVIDERS },
  atMostOne(...EXTENSION_PROVIDER_TYPES),
);

/** Something outside of the proxies that policies name: a log, a tracer, an authorizer. */
export type ExtensionProvider = Infer<typeof extensionProviderSchema>;
/** A log that proxies write into a file. */
export type EnvoyFileAccessLogProvider = Infer<typeof envoyFileAccessLog>;

/** A share in percent, 0 to 100. */
export const samplingSchema = number({ minimum: 0, maximum: 100 });
