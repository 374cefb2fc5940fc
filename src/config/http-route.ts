import { destinationSchema } from "./destination.ts";
import { headersSchema } from "./header-operations.ts";
import { percentSchema } from "./percent.ts";
import type { Infer } from "./schema.ts";
import {
  array,
  atMostOne,
  boolean,
  integer,
  map,
  object,
  positiveDuration,
  required,
  string,
  uint32,
} from "./schema.ts";
import { stringMatchSchema } from "./string-match.ts";

const httpMatch = object({
  name: string({ description: "Shown beside the route's name." }),
  uri: stringMatchSchema,
  scheme: stringMatchSchema,
  method: stringMatchSchema,
  authority: stringMatchSchema,
  headers: map(stringMatchSchema, { description: "All must match; `{}` asks for the header." }),
  withoutHeaders: map(stringMatchSchema, { description: "None may match." }),
  queryParams: map(stringMatchSchema),
  port: uint32({ description: "The port that the client asked for; 0 is every port." }),
  gateways: array(string(), { description: "Instead of the gateways of the whole object." }),
  ignoreUriCase: boolean({ description: "For `uri.exact` and `uri.prefix`." }),
  sourceLabels: map(string(), { description: "Clients that have these labels." }),
  sourceNamespace: string({ description: "Clients in this namespace." }),
  statPrefix: string({ description: "Names the route's own statistics." }),
});

const httpRouteDestination = object({
  destination: required(destinationSchema),
  weight: integer({ description: "Its share of the sum of the weights." }),
  headers: headersSchema,
});

const httpRedirect = object(
  {
    uri: string({ description: "Instead of the path; `%PREFIX()%` keeps what did not match." }),
    authority: string({ description: "Instead of the host." }),
    port: uint32(),
    derivePort: string({ enum: ["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"] }),
    scheme: string({ description: "http or https." }),
    redirectCode: uint32({ description: "301 unless it says 302, 303, 307 or 308." }),
    prefixRewrite: string({ description: "Instead of the part of the path that matched." }),
  },
  atMostOne("port", "derivePort"),
);

const httpBody = object(
  { string: string(), bytes: string({ format: "byte", description: "Base64." }) },
  atMostOne("string", "bytes"),
);

const httpDirectResponse = object({ status: required(uint32()), body: httpBody });

const httpRewrite = object({
  uri: string({ description: "Instead of the path, or of the prefix that matched." }),
  authority: string({ description: "Instead of the host." }),
  uriRegexRewrite: object({
    match: string({ description: "An RE2 regular expression." }),
    rewrite: string({ description: "What takes its place; `\\1` is its first group." }),
  }),
});

/** `HTTPRetry`, of VirtualServices and, as the default of all, of MeshConfig. */
export const httpRetrySchema = object({
  attempts: integer({ description: "How often after the first; 0 is never." }),
  perTryTimeout: positiveDuration(),
  retryOn: string({ description: "Conditions of Envoy's and status codes, with commas." }),
  retryRemoteLocalities: boolean(),
  retryIgnorePreviousHosts: boolean(),
  backoff: positiveDuration({ description: "Before the first; later ones wait longer." }),
});

const httpFaultDelay = object(
  {
    percent: integer({ description: "Whole percents; `percentage` is the newer form." }),
    fixedDelay: positiveDuration(),
    exponentialDelay: positiveDuration(),
    percentage: percentSchema,
  },
  atMostOne("fixedDelay", "exponentialDelay"),
);

const httpFaultAbort = object(
  {
    httpStatus: integer(),
    grpcStatus: string({ description: "By its name: NOT_FOUND." }),
    http2Error: string(),
    percentage: percentSchema,
  },
  atMostOne("httpStatus", "grpcStatus", "http2Error"),
);

const httpFault = object({ delay: httpFaultDelay, abort: httpFaultAbort });

const corsPolicy = object({
  allowOrigin: array(string(), { description: "Exact origins; `allowOrigins` is newer." }),
  allowOrigins: array(stringMatchSchema),
  allowMethods: array(string()),
  allowHeaders: array(string()),
  exposeHeaders: array(string()),
  maxAge: positiveDuration(),
  allowCredentials: boolean(),
  unmatchedPreflights: string({ enum: ["UNSPECIFIED", "FORWARD", "IGNORE"] }),
});

const httpMirror = object({
  destination: required(destinationSchema),
  percentage: percentSchema,
});

const delegate = object({
  name: string({ description: "A VirtualService without hosts." }),
  namespace: string({ description: "Absent: the namespace of this object." }),
});

const mirrorPercent = uint32({ description: "Whole percents; `mirrorPercentage` is newer." });

/** `spec.http[]` of a VirtualService. */
export const httpRouteSchema = object({
  name: string(),
  match: array(httpMatch, { description: "One of them must match; none: every request does." }),
  route: array(httpRouteDestination),
  redirect: httpRedirect,
  directResponse: httpDirectResponse,
  delegate,
  rewrite: httpRewrite,
  timeout: positiveDuration({ description: "For the whole exchange, retries included." }),
  retries: httpRetrySchema,
  fault: httpFault,
  mirror: destinationSchema,
  mirrors: array(httpMirror),
  mirrorPercent,
  mirror_percent: mirrorPercent,
  mirrorPercentage: percentSchema,
  corsPolicy,
  headers: headersSchema,
});

/** One rule of `spec.http`. */
export type HttpRoute = Infer<typeof httpRouteSchema>;
/** One alternative of `spec.http[].match`; all that it names must match. */
export type HttpMatch = Infer<typeof httpMatch>;
/** An answer that sends the client elsewhere. */
export type HttpRedirect = Infer<typeof httpRedirect>;
/** An answer of the proxy's own. */
export type HttpDirectResponse = Infer<typeof httpDirectResponse>;
/** What is changed in the path and the host before the request goes on. */
export type HttpRewrite = Infer<typeof httpRewrite>;
/** When and how often a request is tried again. */
export type HttpRetry = Infer<typeof httpRetrySchema>;
/** Delays and failures that are injected on purpose. */
export type HttpFault = Infer<typeof httpFault>;
/** How long some requests are held back. */
export type HttpFaultDelay = Infer<typeof httpFaultDelay>;
/** What some requests are answered instead of being forwarded. */
export type HttpFaultAbort = Infer<typeof httpFaultAbort>;
/** What browsers may do from other origins. */
export type CorsPolicy = Infer<typeof corsPolicy>;
/** The VirtualService that goes on where a rule has matched. */
export type Delegate = Infer<typeof delegate>;
