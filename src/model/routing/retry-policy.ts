import { STATUS_CODES } from "node:http";
import { parseDurationMs } from "../../base/duration.ts";
import { memoise } from "../../base/memo.ts";
import type { HttpRetry } from "../../config/http-route.ts";
import type { RetryPolicy } from "../route.ts";

/** Istio's default: what failed before it reached an app is tried again, elsewhere. */
const DEFAULT_CONDITIONS =
  "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const DEFAULT: HttpRetry = { attempts: 2 };
const BY_STATUS = "retriable-status-codes";

/**
 * When a request is tried again; `undefined` for never. Without anything written it is Istio's
 * default. A request that keeps to one endpoint (`isHashed`) does so when it is tried again.
 */
export function buildRetryPolicy(
  written: HttpRetry | undefined,
  isHashed: boolean,
): RetryPolicy | undefined {
  return build(written ?? DEFAULT, isHashed);
}

/** One value for the many routes that say the same. */
const build = memoise((written: HttpRetry, isHashed: boolean): RetryPolicy | undefined => {
  const { attempts = 0, retryOn = "", perTryTimeout, backoff } = written;
  if (attempts <= 0) return undefined;
  return {
    ...(retryOn === ""
      ? { conditions: DEFAULT_CONDITIONS, statusCodes: [] }
      : splitRetryOn(retryOn)),
    attempts,
    perTryTimeoutMs: durationMs(perTryTimeout) ?? 0,
    backoffMs: durationMs(backoff),
    isElsewhere: written.retryIgnorePreviousHosts ?? !isHashed,
    isInOtherLocalities: written.retryRemoteLocalities ?? false,
  };
});

/** Numbers among the conditions are status codes, and the condition that asks for them is added. */
function splitRetryOn(retryOn: string): Pick<RetryPolicy, "conditions" | "statusCodes"> {
  const conditions: string[] = [];
  const statusCodes: number[] = [];
  for (const part of retryOn.split(",").map((text) => text.trim())) {
    if (part === "") continue;
    if (/^\d+$/.test(part) && STATUS_CODES[Number(part)] !== undefined) {
      statusCodes.push(Number(part));
    } else {
      conditions.push(part);
    }
  }
  if (statusCodes.length > 0 && !conditions.includes(BY_STATUS)) conditions.push(BY_STATUS);
  return { conditions: conditions.join(","), statusCodes };
}

function durationMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}
