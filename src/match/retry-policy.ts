import {
  type RetryPolicy as RetryPolicyMessage,
  RetryPolicySchema,
} from "../api/gen/envoy/config/route/v3/route_components_pb.js";
import type { Issue } from "../base/issue.ts";
import { durationMs } from "./duration-ms.ts";
import { joinPath, refuseFields } from "./refuse-fields.ts";

/** What is tried again, and how often. */
export interface RetryPolicy {
  readonly retriesMax: number;
  /** The connection could not be made, or an old one turned out to be closed. */
  readonly onConnectFailure: boolean;
  /** The upstream went away before it answered. */
  readonly onReset: boolean;
  /** It went away before anything of the request was sent. */
  readonly onResetBeforeRequest: boolean;
  /** Whether a response of this status is tried again. */
  readonly onStatus: (status: number) => boolean;
  /** Statuses of gRPC, in the `grpc-status` header, that are tried again. */
  readonly onGrpcStatus: ReadonlySet<string>;
  /** 0 is none. */
  readonly perTryTimeoutMs: number;
  /** The wait before retry n is drawn from [0, base * (2^n - 1)), at most `backOffMsMax`. */
  readonly backOffMs: number;
  readonly backOffMsMax: number;
  /** Whether a host that failed is avoided, and how often the balancer is asked for another. */
  readonly avoidsPreviousHosts: boolean;
  readonly hostDrawsMax: number;
}

const HANDLED = [
  "retry_on",
  "num_retries",
  "per_try_timeout",
  "retry_host_predicate",
  "host_selection_retry_max_attempts",
  "retriable_status_codes",
  "retry_back_off",
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

const PREVIOUS_HOSTS_TYPE =
  "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";

/** Decodes a retry policy. Names in `retry_on` that nobody knows are passed over, as Envoy does. */
export function decodeRetryPolicy(
  message: RetryPolicyMessage,
  path: string,
  issues: Issue[],
): RetryPolicy {
  issues.push(...refuseFields(RetryPolicySchema, message, HANDLED, path));
  const names = new Set(message.retryOn.split(",").map((name) => name.trim()));
  if (names.has("retriable-headers")) {
    const what = 'condition "retriable-headers" is not supported yet';
    issues.push({ path: joinPath(path, "retry_on"), message: what });
  }
  checkPredicates(message, path, issues);
  const statuses = new Set(names.has("retriable-status-codes") ? message.retriableStatusCodes : []);
  if (names.has("retriable-4xx")) statuses.add(409);
  if (names.has("gateway-error")) for (const status of [502, 503, 504]) statuses.add(status);
  const any5xx = names.has("5xx");
  return {
    retriesMax: message.numRetries ?? 1,
    onConnectFailure: names.has("connect-failure") || any5xx || names.has("gateway-error"),
    onReset: names.has("reset") || any5xx || names.has("gateway-error"),
    onResetBeforeRequest: names.has("reset-before-request"),
    onStatus: (status) => (any5xx && status >= 500) || statuses.has(status),
    onGrpcStatus: new Set(
      Object.entries(GRPC_STATUS_BY_NAME).flatMap(([name, status]) =>
        names.has(name) ? [status] : [],
      ),
    ),
    perTryTimeoutMs: durationMs(message.perTryTimeout) ?? 0,
    ...decodeBackOff(message, path, issues),
    avoidsPreviousHosts: message.retryHostPredicate.length > 0,
    hostDrawsMax: Number(message.hostSelectionRetryMaxAttempts) || 1,
  };
}

function checkPredicates(message: RetryPolicyMessage, path: string, issues: Issue[]): void {
  for (const [at, predicate] of message.retryHostPredicate.entries()) {
    const typeUrl = predicate.configType.value?.typeUrl ?? "";
    if (typeUrl === PREVIOUS_HOSTS_TYPE) continue;
    const what = `Didn't find a registered implementation for '${predicate.name}' with type URL: '${typeUrl}'`;
    issues.push({ path: joinPath(path, `retry_host_predicate[${at}]`), message: what });
  }
}

function decodeBackOff(
  { retryBackOff }: RetryPolicyMessage,
  path: string,
  issues: Issue[],
): Pick<RetryPolicy, "backOffMs" | "backOffMsMax"> {
  const backOffMs = durationMs(retryBackOff?.baseInterval) ?? BACK_OFF_MS;
  const backOffMsMax = durationMs(retryBackOff?.maxInterval) ?? backOffMs * 10;
  if (backOffMsMax < backOffMs) {
    const what = "must be at least the base_interval";
    issues.push({ path: joinPath(path, "retry_back_off.max_interval"), message: what });
  }
  return { backOffMs, backOffMsMax };
}
