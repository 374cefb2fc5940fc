import {
  RetryPolicy_ResetHeaderFormat as ResetHeaderFormat,
  RetryPolicy_RateLimitedRetryBackOffSchema,
  RetryPolicy_ResetHeaderSchema,
  RetryPolicy_RetryBackOffSchema,
  type RetryPolicy as RetryPolicyMessage,
  RetryPolicySchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import { OmitCanaryHostsPredicateSchema } from "../api/gen/envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts_pb.js";
import {
  type OmitHostMetadataConfig,
  OmitHostMetadataConfigSchema,
} from "../api/gen/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config_pb.js";
import { PreviousHostsPredicateSchema } from "../api/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import { PreviousPrioritiesConfigSchema } from "../api/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js";
import { typeUrlOf } from "../api/type-url.ts";
import type { Issue } from "../base/issue.ts";
import { durationMs } from "./duration-ms.ts";
import {
  type Criterion,
  compileHeaderMatch,
  compileResponseHeaderMatch,
  type ResponseHeaders,
} from "./header-match.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";
import { type SubsetCriteria, subsetCriteria } from "./subset-criteria.ts";
import { type TypedExtension, unpackOf } from "./unpack.ts";
import { wireText } from "./wire-text.ts";

/** A response header that says when to come back. */
export interface ResetHeader {
  /** Lower case. */
  readonly name: string;
  /** A number of seconds from now, or since 1970. */
  readonly format: "SECONDS" | "UNIX_TIMESTAMP";
}

/** What is tried again, and how often. */
export interface RetryPolicy {
  readonly retriesMax: number;
  /** Every condition that is asked for, by Envoy's names. */
  readonly conditions: ReadonlySet<string>;
  /** The statuses of `retriable-status-codes`, and the tests of `retriable-headers`. */
  readonly statuses: readonly number[];
  readonly headers: readonly ((response: ResponseHeaders) => boolean)[];
  /** The connection could not be made, or an old one turned out to be closed. */
  readonly onConnectFailure: boolean;
  /** The upstream went away before it answered. */
  readonly onReset: boolean;
  /** It went away before anything of the request was sent. */
  readonly onResetBeforeRequest: boolean;
  /** The upstream had not looked at it (REFUSED_STREAM of HTTP/2). */
  readonly onRefusedStream: boolean;
  /** Whether a response of this status is tried again. */
  readonly onStatus: (status: number) => boolean;
  /** The upstream refused it for its rate limit (`x-envoy-ratelimited`). */
  readonly onRateLimited: boolean;
  /** Tests of a response's headers, of which one is enough; empty: none asked for. */
  readonly onHeaders: readonly ((response: ResponseHeaders) => boolean)[];
  /** Statuses of gRPC, in the `grpc-status` header, that are tried again. */
  readonly onGrpcStatus: ReadonlySet<string>;
  /** Only a request that one of them matches is ever tried again; empty: any. */
  readonly requestCriteria: readonly Criterion[];
  /** `undefined`: as the policy says nothing, the route's timeout holds. 0 is none. */
  readonly perTryTimeoutMs: number;
  /** Without a byte from the upstream; 0 is none. */
  readonly perTryIdleTimeoutMs: number;
  /** The wait before retry n is drawn from [0, base * 2^(n - 1)), at most `backOffMsMax`. */
  readonly backOffMs: number;
  readonly backOffMsMax: number;
  /** Headers that say how long to wait instead, in order, and the most that counts. */
  readonly resetHeaders: readonly ResetHeader[];
  readonly resetMsMax: number;
  /** Whether a host that failed is avoided, and how often the balancer is asked for another. */
  readonly avoidsPreviousHosts: boolean;
  readonly omitsCanaries: boolean;
  /** Hosts whose metadata has all of one of these are avoided. */
  readonly omitsHosts: readonly SubsetCriteria[];
  readonly hostDrawsMax: number;
  /** After so many attempts, and again after as many more, priorities that were tried are left out; 0 is never. */
  readonly priorityUpdateFrequency: number;
}

const HANDLED = [
  "retry_on",
  "num_retries",
  "per_try_timeout",
  "per_try_idle_timeout",
  "retry_host_predicate",
  "retry_priority",
  "host_selection_retry_max_attempts",
  "retriable_status_codes",
  "retry_back_off",
  "rate_limited_retry_back_off",
  "retriable_headers",
  "retriable_request_headers",
];

const GRPC_STATUS_BY_NAME: Readonly<Record<string, string>> = {
  cancelled: "1",
  "deadline-exceeded": "4",
  "resource-exhausted": "8",
  internal: "13",
  unavailable: "14",
};

/** Envoy's back-off when the policy has none. */
const BACK_OFF_MS = 25;
/** The longest wait that a header of a response may ask for, unless the policy says another. */
const RESET_MS_MAX = 300_000;

/** Decodes a retry policy. Names in `retry_on` that nobody knows are passed over, as Envoy does. */
export function decodeRetryPolicy(
  message: RetryPolicyMessage,
  path: string,
  issues: Issue[],
): RetryPolicy {
  issues.push(...refuseFields(RetryPolicySchema, message, HANDLED, path));
  const onHeaders = message.retriableHeaders.map((matcher, at) =>
    compileResponseHeaderMatch(matcher, joinPath(path, `retriable_headers[${at}]`), issues),
  );
  return {
    retriesMax: message.numRetries ?? 1,
    ...compileConditions({
      conditions: new Set(message.retryOn.split(",").map((name) => name.trim())),
      statuses: message.retriableStatusCodes,
      headers: onHeaders,
    }),
    requestCriteria: message.retriableRequestHeaders.map((matcher, at) =>
      compileHeaderMatch(matcher, joinPath(path, `retriable_request_headers[${at}]`), issues),
    ),
    perTryTimeoutMs: durationMs(message.perTryTimeout) ?? 0,
    perTryIdleTimeoutMs: durationMs(message.perTryIdleTimeout) ?? 0,
    ...decodeBackOff(message, path, issues),
    ...decodeResetHeaders(message, path, issues),
    ...decodePredicates(message, path, issues),
    hostDrawsMax: Number(message.hostSelectionRetryMaxAttempts) || 1,
    priorityUpdateFrequency: decodePriority(message, path, issues),
  };
}

function decodePriority(message: RetryPolicyMessage, path: string, issues: Issue[]): number {
  const { retryPriority } = message;
  if (retryPriority === undefined) return 0;
  const { name, configType } = retryPriority;
  const at = joinPath(path, "retry_priority");
  const extension: TypedExtension = { name, any: configType.value, path: at };
  const config = unpackOf(PreviousPrioritiesConfigSchema, extension, issues);
  if (config === undefined) return 0;
  issues.push(...refuseFields(PreviousPrioritiesConfigSchema, config, ["update_frequency"], at));
  // One that is not above 0 breaks a rule of the .proto file, which is checked after.
  return config.updateFrequency;
}

/** What one request asks of retries besides its route. */
export interface RetryRequest {
  /** Names as in `retry_on`. */
  readonly conditions: readonly string[];
  readonly statuses: readonly number[];
  /** Response headers, in lower case, whose presence is enough. */
  readonly headerNames: readonly string[];
  readonly retriesMax: number | undefined;
}

/** A route's policy and what a request asks for besides; both count. */
export function extendRetryPolicy(
  policy: RetryPolicy | undefined,
  request: RetryRequest,
): RetryPolicy {
  const base = policy ?? NO_POLICY;
  const present = request.headerNames.map(
    (name) => (response: ResponseHeaders) => response.headers.has(name),
  );
  return {
    ...base,
    retriesMax: request.retriesMax ?? base.retriesMax,
    ...compileConditions({
      conditions: new Set([...base.conditions, ...request.conditions]),
      statuses: [...base.statuses, ...request.statuses],
      headers: [...base.headers, ...present],
    }),
  };
}

type Conditions = Pick<RetryPolicy, "conditions" | "statuses" | "headers">;

function compileConditions(given: Conditions): Omit<RetryPolicy, keyof typeof OTHER_FIELDS> {
  const { conditions, headers } = given;
  const statuses = new Set(conditions.has("retriable-status-codes") ? given.statuses : []);
  if (conditions.has("retriable-4xx")) statuses.add(409);
  if (conditions.has("gateway-error")) for (const status of [502, 503, 504]) statuses.add(status);
  const any5xx = conditions.has("5xx");
  const isGatewayError = conditions.has("gateway-error");
  return {
    ...given,
    onConnectFailure: conditions.has("connect-failure") || any5xx || isGatewayError,
    onReset: conditions.has("reset") || any5xx || isGatewayError,
    onResetBeforeRequest: conditions.has("reset-before-request"),
    onRefusedStream: conditions.has("refused-stream"),
    onStatus: (status) => (any5xx && status >= 500) || statuses.has(status),
    onRateLimited: conditions.has("envoy-ratelimited"),
    onHeaders: conditions.has("retriable-headers") ? headers : [],
    onGrpcStatus: new Set(
      Object.entries(GRPC_STATUS_BY_NAME).flatMap(([name, status]) =>
        conditions.has(name) ? [status] : [],
      ),
    ),
  };
}

/** What a policy has besides its conditions. */
const OTHER_FIELDS = {
  retriesMax: 1,
  requestCriteria: [],
  perTryTimeoutMs: 0,
  perTryIdleTimeoutMs: 0,
  backOffMs: BACK_OFF_MS,
  backOffMsMax: BACK_OFF_MS * 10,
  resetHeaders: [],
  resetMsMax: RESET_MS_MAX,
  avoidsPreviousHosts: false,
  omitsCanaries: false,
  omitsHosts: [],
  hostDrawsMax: 1,
  priorityUpdateFrequency: 0,
} satisfies Partial<RetryPolicy>;

/** Of a route without one, for a request that asks for retries by itself. */
const NO_POLICY: RetryPolicy = {
  ...OTHER_FIELDS,
  ...compileConditions({ conditions: new Set(), statuses: [], headers: [] }),
};

type HostPredicates = Pick<RetryPolicy, "avoidsPreviousHosts" | "omitsCanaries" | "omitsHosts">;

function decodePredicates(
  message: RetryPolicyMessage,
  path: string,
  issues: Issue[],
): HostPredicates {
  let avoidsPreviousHosts = false;
  let omitsCanaries = false;
  const omitsHosts: SubsetCriteria[] = [];
  for (const [at, { name, configType }] of message.retryHostPredicate.entries()) {
    const predicate: TypedExtension = {
      name,
      any: configType.value,
      path: joinPath(path, `retry_host_predicate[${at}]`),
    };
    switch (predicate.any?.typeUrl) {
      case typeUrlOf(PreviousHostsPredicateSchema):
        avoidsPreviousHosts = true;
        break;
      case typeUrlOf(OmitCanaryHostsPredicateSchema):
        omitsCanaries = true;
        break;
      case typeUrlOf(OmitHostMetadataConfigSchema): {
        const config = unpackOf(OmitHostMetadataConfigSchema, predicate, issues);
        if (config !== undefined) omitsHosts.push(omitted(config, predicate.path, issues));
        break;
      }
      case undefined:
      default:
        unpackOf(PreviousHostsPredicateSchema, predicate, issues);
    }
  }
  return { avoidsPreviousHosts, omitsCanaries, omitsHosts };
}

function omitted(config: OmitHostMetadataConfig, path: string, issues: Issue[]): SubsetCriteria {
  const handled = ["metadata_match"];
  issues.push(...refuseFields(OmitHostMetadataConfigSchema, config, handled, path));
  return subsetCriteria(config.metadataMatch);
}

function decodeBackOff(
  { retryBackOff }: RetryPolicyMessage,
  path: string,
  issues: Issue[],
): Pick<RetryPolicy, "backOffMs" | "backOffMsMax"> {
  const at = joinPath(path, "retry_back_off");
  if (retryBackOff !== undefined) {
    const fields = ["base_interval", "max_interval"];
    issues.push(...refuseFields(RetryPolicy_RetryBackOffSchema, retryBackOff, fields, at));
  }
  const backOffMs = durationMs(retryBackOff?.baseInterval) ?? BACK_OFF_MS;
  const backOffMsMax = durationMs(retryBackOff?.maxInterval) ?? backOffMs * 10;
  if (backOffMsMax < backOffMs) {
    const what = "must be at least the base_interval";
    issues.push({ path: joinPath(at, "max_interval"), message: what });
  }
  return { backOffMs, backOffMsMax };
}

function decodeResetHeaders(
  { rateLimitedRetryBackOff: given }: RetryPolicyMessage,
  path: string,
  issues: Issue[],
): Pick<RetryPolicy, "resetHeaders" | "resetMsMax"> {
  if (given === undefined) return { resetHeaders: [], resetMsMax: RESET_MS_MAX };
  const at = joinPath(path, "rate_limited_retry_back_off");
  const fields = ["reset_headers", "max_interval"];
  issues.push(...refuseFields(RetryPolicy_RateLimitedRetryBackOffSchema, given, fields, at));
  const resetHeaders = given.resetHeaders.map((header, index): ResetHeader => {
    const headerPath = joinPath(at, `reset_headers[${index}]`);
    const known = ["name", "format"];
    issues.push(...refuseFields(RetryPolicy_ResetHeaderSchema, header, known, headerPath));
    const isTimestamp = header.format === ResetHeaderFormat.UNIX_TIMESTAMP;
    return {
      name: wireText(header.name).toLowerCase(),
      format: isTimestamp ? "UNIX_TIMESTAMP" : "SECONDS",
    };
  });
  return { resetHeaders, resetMsMax: durationMs(given.maxInterval) ?? RESET_MS_MAX };
}
